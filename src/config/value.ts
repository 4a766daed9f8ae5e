/** From the text of a value to the value, by the kind of its option; and back, for people. */
import { formatByteSize, parseByteSize } from '../util/byte-size.ts';
import { formatDurationMs, parseDurationMs } from '../util/duration.ts';
import { nearestName } from '../util/names.ts';
import { Secret } from '../util/secret.ts';
import type { OptionKind, OptionSpec } from './option.ts';

export type Value = string | number | boolean | Secret | undefined;
export type Parsed =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** Longer timers fire at once in Node (2^31 - 1 ms, almost 25 days), so no duration may be longer by default. */
const DURATION_MS_MAX = 2 ** 31 - 1;

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

interface Kind {
  parse(text: string): Value | 'none';
  /** What a value looks like, after "write". */
  readonly form: string;
  readonly noun: string;
}

const kinds: Readonly<Record<OptionKind, Kind>> = {
  string: { parse: (text) => text, form: 'a text', noun: 'text' },
  secret: { parse: (text) => (text === '' ? undefined : new Secret(text)), form: 'a text', noun: 'secret' },
  bool: {
    parse: (text) => TRUE.includes(text) || (FALSE.includes(text) ? false : 'none'),
    form: 'true or false',
    noun: 'boolean',
  },
  int: { parse: parseInteger, form: 'a whole number, for example 16', noun: 'whole number' },
  float: { parse: parseFloatStrictly, form: 'a number, for example 0.5', noun: 'number' },
  duration: {
    parse: (text) => parseDurationMs(text) ?? 'none',
    form: 'a number with a unit, for example 500ms, 10s, 1h30m, 7d',
    noun: 'duration',
  },
  bytes: {
    parse: (text) => parseByteSize(text) ?? 'none',
    form: 'a number of bytes, for example 4096, 8MiB, 1.5GB',
    noun: 'size',
  },
};

/** Go's forms: decimal, 0x, 0o and 0b, with underscores between digits. A leading zero (octal in Go) is refused. */
function parseInteger(text: string): number | 'none' {
  const digits = text.replace(/^[-+]/, '');
  if (!/^(0|[1-9](_?\d)*|0x[\da-f](_?[\da-f])*|0o[0-7](_?[0-7])*|0b[01](_?[01])*)$/i.test(digits))
    return 'none';
  const number = Number(digits.replaceAll('_', ''));
  if (!Number.isSafeInteger(number)) return 'none';
  return text.startsWith('-') && number !== 0 ? -number : number;
}

function parseFloatStrictly(text: string): number | 'none' {
  const number = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : 'none';
}

/** Parses and checks one value; `shown` names it in the message (a secret is never shown). */
export function parseValue(spec: OptionSpec, text: string): Parsed {
  const kind = kinds[spec.kind];
  const value = kind.parse(text);
  if (value === 'none' && spec.kind !== 'string') {
    return { ok: false, message: `${JSON.stringify(text)} is no ${kind.noun}`, hint: `write ${kind.form}` };
  }
  const refusal = checkRange(spec, value) ?? checkChoice(spec, value);
  return refusal ?? { ok: true, value };
}

function checkRange(spec: OptionSpec, value: Value): Parsed | undefined {
  if (typeof value !== 'number') return undefined;
  const [min, max] = rangeOf(spec);
  if (value >= min && value <= max) return undefined;
  const [bound, word] = value < min ? [min, 'least'] : [max, 'most'];
  return {
    ok: false,
    message: `${formatValue(spec, value)} is ${value < min ? 'too small' : 'too large'}`,
    hint: `give at ${word} ${formatValue(spec, bound)}`,
  };
}

function checkChoice(spec: OptionSpec, value: Value): Parsed | undefined {
  if (spec.choices === undefined || typeof value !== 'string' || spec.choices.includes(value))
    return undefined;
  // An empty item of a list stands for "the default".
  if (value === '' && spec.arity === 'list') return undefined;
  const nearest = nearestName(value, spec.choices);
  return {
    ok: false,
    message: `${JSON.stringify(value)} is not a choice`,
    hint: nearest === undefined ? `choose one of ${spec.choices.join(', ')}` : `did you mean ${nearest}?`,
  };
}

/** The smallest and the largest value of a numeric option. */
export function rangeOf(spec: OptionSpec): readonly [min: number, max: number] {
  const isQuantity = spec.kind === 'duration' || spec.kind === 'bytes';
  const lowest = isQuantity ? 0 : Number.NEGATIVE_INFINITY;
  const highest = spec.kind === 'duration' ? DURATION_MS_MAX : Number.POSITIVE_INFINITY;
  return [spec.min ?? lowest, spec.max ?? highest];
}

/** A value as a user would write it; a secret shows as `secret`. */
export function formatValue(spec: OptionSpec, value: Value): string {
  if (typeof value === 'number') {
    if (spec.kind === 'duration') return formatDurationMs(value);
    if (spec.kind === 'bytes') return formatByteSize(value);
  }
  return value === undefined ? '' : String(value);
}

/** The default for `-help` and the docs; empty if there is nothing to tell. */
export function defaultTextOf(spec: OptionSpec): string {
  if (spec.defaultText !== undefined) return spec.defaultText;
  if (Array.isArray(spec.default)) return spec.default.map((item) => formatValue(spec, item)).join(',');
  if (spec.default === false) return '';
  return formatValue(spec, spec.default as Value);
}
