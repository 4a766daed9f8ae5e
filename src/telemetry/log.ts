/**
 * The log: pino writes JSON lines, synchronously, so that the last line before a crash is there. On a terminal they are
 * turned into readable text; pino-pretty is loaded only then (4 MB of resident memory).
 */
import { isatty } from 'node:tty';
import { type Logger as Pino, pino } from 'pino';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Meter } from '../util/meter.ts';
import { callerLocation } from './location.ts';
import { LineLimits } from './log-limits.ts';
import { escapeJsonLine, loggedText, loggedValue, type ValueRules } from './log-value.ts';
import type { TelemetryValues } from './options.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** pino's levels for vmagent's. A panic is never logged through here: the runtime prints it. */
const thresholds: Readonly<Record<string, string>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
  FATAL: 'fatal',
  PANIC: 'silent',
};

const descriptors: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };

/** Fields with these names would forge the line's own. */
const reserved = new Set(['level', 'ts', 'msg']);

export interface LogPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  /** The `app_version` label of `vm_log_messages_total`. */
  readonly versionLabel: string;
  /** For tests: where lines go instead of the process's own output. */
  readonly write?: (line: string) => void;
  /** For tests: whether that is a terminal. */
  readonly isTerminal?: boolean;
}

/** Opens the log as the options say. */
export async function openLog(values: TelemetryValues, ports: LogPorts): Promise<Logger> {
  const descriptor = descriptors[values.loggerOutput] ?? 2;
  const isTerminal = ports.isTerminal ?? isatty(descriptor);
  const isPretty = isTerminal && values.loggerFormat !== 'json';
  const write = ports.write ?? writerTo(descriptor);
  const format = isPretty ? await prettyFormat() : escapeJsonLine;
  const { clock } = ports;
  const timestamp = () => `,"ts":"${new Date(clock.nowMs()).toISOString()}"`;
  const root = pino(
    {
      level: thresholds[values.loggerLevel] ?? 'info',
      base: null,
      messageKey: 'msg',
      timestamp: values.loggerDisableTimestamps ? false : timestamp,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    { write: (line: string) => write(format(line)) },
  );
  const limits = new LineLimits(clock, {
    warn: values.loggerWarnsPerSecondLimit,
    error: values.loggerErrorsPerSecondLimit,
  });
  const rules = { lengthMax: values.loggerMaxArgLen, escapesControl: isPretty };
  return new Log(root, { rules, limits, count: counterOf(ports) });
}

function writerTo(descriptor: number): (line: string) => void {
  const stream = pino.destination({ dest: descriptor, sync: true });
  return (line) => stream.write(line);
}

async function prettyFormat(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: true,
    colorizeObjects: false,
    singleLine: true,
    errorLikeObjectKeys: [],
    messageKey: 'msg',
    timestampKey: 'ts',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return (line) => pretty(line) ?? '';
}

function counterOf({ meter, versionLabel }: LogPorts) {
  return (level: Level, location: string, isPrinted: boolean) =>
    meter
      .counter('vm_log_messages_total', 'Messages for the log.', {
        app_version: versionLabel,
        level,
        location,
        is_printed: String(isPrinted),
      })
      .inc();
}

/** What a logger and its children share. */
interface Shared {
  readonly rules: ValueRules;
  readonly limits: LineLimits;
  readonly count: ReturnType<typeof counterOf>;
}

class Log implements Logger {
  readonly #pino: Pino;
  readonly #shared: Shared;

  constructor(root: Pino, shared: Shared) {
    this.#pino = root;
    this.#shared = shared;
  }

  debug(message: string, fields?: object): void {
    if (this.#pino.isLevelEnabled('debug')) this.#print('debug', message, fields, 0);
  }

  info(message: string, fields?: object): void {
    this.#log('info', message, fields);
  }

  warn(message: string, fields?: object): void {
    this.#log('warn', message, fields);
  }

  error(message: string, fields?: object): void {
    this.#log('error', message, fields);
  }

  limited(key: string, everyMs: number): Pick<Logger, 'info' | 'warn' | 'error'> {
    const at = (level: Level) => (message: string, fields?: object) =>
      this.#log(level, message, fields, { key, everyMs });
    return { info: at('info'), warn: at('warn'), error: at('error') };
  }

  child(fields: object): Logger {
    return new Log(this.#pino.child(safeFields(fields, this.#shared.rules)), this.#shared);
  }

  #log(
    level: Level,
    message: string,
    fields: object | undefined,
    limit?: { readonly key: string; readonly everyMs: number },
  ): void {
    const { limits, count } = this.#shared;
    const location = callerLocation();
    // What the level hides uses up no allowance, or the first line after a change of level would be missing.
    const isEnabled = this.#pino.isLevelEnabled(level);
    const admitted = isEnabled
      ? limit === undefined
        ? limits.admitPerSecond(level, location)
        : limits.admitKey(limit.key, limit.everyMs)
      : undefined;
    count(level, location, admitted !== undefined);
    if (admitted !== undefined) this.#print(level, message, fields, admitted.suppressed);
  }

  #print(level: Level, message: string, fields: object | undefined, suppressed: number): void {
    const { rules } = this.#shared;
    const own = fields === undefined ? {} : safeFields(fields, rules);
    const all = suppressed > 0 ? { ...own, suppressed } : own;
    this.#pino[level](all, '%s', loggedText(message, rules));
  }
}

function safeFields(fields: object, rules: ValueRules): Record<string, unknown> {
  const value = loggedValue(fields, rules);
  // An error, or bytes, instead of an object with fields.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { value };
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [reserved.has(key) ? `${key}_` : key, item]),
  );
}
