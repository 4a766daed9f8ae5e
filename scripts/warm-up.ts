/**
 * Starts the relay for a moment and stops it, so that the sources of both threads are kept without their types (`bin/strip-types.js`): a
 * start without them needs 16 MB more of memory, until the next one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WATCHDOG_MS = 60_000;

/** The relay's exit code; 0 when it started and stopped in good order. */
export async function warmUp(): Promise<number | null> {
  const data = mkdtempSync(join(tmpdir(), 'sluice-warm-up-'));
  const flags = [
    `-remoteWrite.url=file:${join(data, 'samples.jsonl')}`,
    `-remoteWrite.tmpDataPath=${data}`,
    '-httpListenAddr=127.0.0.1:0',
  ];
  const relay = spawn(fileURLToPath(new URL('../bin/sluice', import.meta.url)), flags, {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: WATCHDOG_MS,
  });
  try {
    const ended = once(relay, 'close') as Promise<[number | null]>;
    const output: string[] = [];
    for await (const line of createInterface({ input: relay.stderr })) {
      output.push(line);
      if (line.includes('"msg":"started"')) relay.kill('SIGTERM');
    }
    const [code] = await ended;
    if (code !== 0) console.error(output.join('\n'));
    return code;
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

if (import.meta.main) process.exitCode = (await warmUp()) ?? 1;
