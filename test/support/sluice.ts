/** The real daemon, as an operator starts it. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseMetrics, type Sample } from './metrics.ts';
import { freePort, type RunningProgram, startProgram } from './process.ts';

/** Another build of the daemon (an installed package) can be put under the same tests. */
export const sluiceCommand = process.env.SLUICE_COMMAND ?? join(import.meta.dirname, '../../bin/sluice');

export interface RunningSluice {
  readonly program: RunningProgram;
  readonly port: number;
  /** Without a trailing slash. */
  readonly url: string;
  metrics(): Promise<Sample[]>;
}

/** So that half of the tests have the engine on a thread of its own, and half on the main thread: the same ones every time. */
const threadOf = (t: TestContext): string => (t.name.length % 2 === 0 ? 'main' : 'own');

/** Starts it with these flags on a port of its own; ready means that `/health` answers. */
export async function startSluice(
  t: TestContext,
  dataDirectory: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningSluice> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = await startProgram(t, {
    name: 'sluice',
    command: sluiceCommand,
    args: [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.tmpDataPath=${dataDirectory}`,
      `-engine.thread=${threadOf(t)}`,
      ...flags,
    ],
    readyUrl: `${url}/health`,
    env,
  });
  const metrics = async () => parseMetrics(await (await fetch(`${url}/metrics`)).text());
  return { program, port, url, metrics };
}

/** Runs it to its end: for bad flags, `-version`, `-dryRun`. */
export async function runSluice(t: TestContext, flags: readonly string[]) {
  const program = await startProgram(t, { name: 'sluice', command: sluiceCommand, args: flags });
  const { code } = await program.exit();
  return { code, output: program.output };
}
