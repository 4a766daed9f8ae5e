/** Starts real programs for a test, collects what they print, and ends them when the test is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { atEnd } from './cleanup.ts';
import { until } from './wait.ts';

/** Enough for a loaded two-core machine; a healthy start takes a tenth of it. */
const READY_WITHIN_MS = 30_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class RunningProgram {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  #output = '';

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    // `close` comes after the last output, `exit` may come before it.
    this.#exit = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    this.#exit.catch(() => undefined); // could not be started: whoever waits for the exit is told
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Everything it has printed so far. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it has ended by itself or by `kill`; `withinMs` is a guard against hanging. */
  async exit(withinMs = READY_WITHIN_MS): Promise<Exit> {
    const timer = AbortSignal.timeout(withinMs);
    const timeUp = once(timer, 'abort').then(() => {
      throw new Error(`${this.name} has not ended within ${withinMs / 1000} s; its output:\n${this.#output}`);
    });
    return Promise.race([this.#exit, timeUp]);
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.#child.kill(signal);
    return this.exit();
  }
}

/** Below those that systems give to connections and to whoever listens on any port, so that nobody gets it meanwhile. */
const PORTS = { from: 10_000, to: 32_000 };

/** An unused port. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A directory that goes away with the test. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  atEnd(t, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** `passed` is documented since Node 21.7 but not in the types. */
const hasFailed = (t: TestContext): boolean => (t as TestContext & { passed?: boolean }).passed === false;

export interface ProgramSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is ready when this URL answers 2xx. Without it nothing is waited for. */
  readonly readyUrl?: string;
}

/** Starts it and waits until it is ready; kills it at the end of the test. */
export async function startProgram(t: TestContext, spec: ProgramSpec): Promise<RunningProgram> {
  const child = spawn(spec.command, spec.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    env: { ...process.env, ...spec.env },
  });
  const running = new RunningProgram(spec.name, child);
  atEnd(t, async () => {
    if (running.isRunning) await running.kill('SIGKILL');
    if (hasFailed(t)) t.diagnostic(`output of ${spec.name}:\n${running.output.slice(-4_000)}`);
  });
  const { readyUrl } = spec;
  if (readyUrl === undefined) return running;
  const ready = await until(`${spec.name} is ready at ${readyUrl}`, READY_WITHIN_MS, async () => {
    if (!running.isRunning) return 'ended';
    return (await fetch(readyUrl)).ok && 'ready';
  });
  if (ready === 'ended') throw new Error(`${spec.name} ended at its start; its output:\n${running.output}`);
  return running;
}
