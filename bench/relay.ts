/** The relays that are compared: how each is started, on the same flags, with a fresh data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Relay {
  /** As the tables name it. */
  readonly name: string;
  readonly command: string;
}

export interface RunningRelay {
  readonly pid: number;
  readonly port: number;
  readonly dataDirectory: string;
  /** Ends it by SIGTERM; throws if it had died before. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilReady(relay: Relay, child: ChildProcess, port: number, logFile: string): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadlineMs) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/health`)).ok) return;
    } catch {
      // it does not listen yet
    }
    await delay(50);
  }
  child.kill('SIGKILL');
  throw new Error(
    `cannot start ${relay.name} (${relay.command}): not ready; its log:\n${readFileSync(logFile, 'utf8')}`,
  );
}

export interface StartSpec {
  /** For data and log. */
  readonly directory: string;
  readonly destinations: readonly string[];
  readonly flags: readonly string[];
  /** Put in front of the command (taskset). */
  readonly prefix: readonly string[];
}

export async function startRelay(relay: Relay, spec: StartSpec): Promise<RunningRelay> {
  mkdirSync(spec.directory, { recursive: true });
  const port = await freePort();
  const logFile = join(spec.directory, 'log');
  const log = openSync(logFile, 'w');
  const command = [
    ...spec.prefix,
    relay.command,
    `-httpListenAddr=127.0.0.1:${port}`,
    `-remoteWrite.tmpDataPath=${join(spec.directory, 'data')}`,
    ...spec.destinations.map((url) => `-remoteWrite.url=${url}`),
    ...spec.flags,
  ];
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', log, log] });
  closeSync(log);
  await untilReady(relay, child, port, logFile);
  return {
    pid: child.pid!,
    port,
    dataDirectory: join(spec.directory, 'data'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(
          `${relay.name} died during the work; its log:\n${readFileSync(logFile, 'utf8').slice(-4000)}`,
        );
      }
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
