import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { queue } from '../../src/cli/queue.ts';
import { schema } from '../../src/options.ts';
import { BlockFile } from '../../src/queue/block-file.ts';
import { nodeFs } from '../../src/queue/file/fs.ts';
import { systemClock } from '../../src/util/clock.ts';
import { makeBlock } from '../support/blocks.ts';
import { temporaryDirectory } from '../support/process.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

async function run(directory: string, ...args: string[]) {
  let output = '';
  const print = (text: string) => {
    output += text;
  };
  const context = { schema, env: {}, stdout: print, stderr: print };
  const code = await queue.run({ ...context, args: [...args, `-dir=${directory}`] });
  return { code, output };
}

test('of two commands that change the files of a queue at once, one is told to wait', async (t) => {
  const directory = temporaryDirectory(t);
  const at = path.join(directory, 'queue', 'a');
  const file = await BlockFile.open(at, { fs: nodeFs, clock: systemClock, log: recordingLogger() });
  const blocks = Array.from({ length: 200 }, (_, index) => makeBlock(index + 1));
  await file.append(blocks, false);
  await file.log.close();
  const results = await Promise.all([run(directory, 'repair', 'a'), run(directory, 'repair', 'a')]);
  const [good, bad] = results.toSorted((a, b) => a.code - b.code);
  assert.deepEqual([good!.code, bad!.code], [0, 1]);
  assert.match(good!.output, /200 blocks are whole/);
  assert.match(bad!.output, /another Sluice is running on it/);
  assert.match((await run(directory, 'verify', 'a')).output, /200 whole blocks .*; 0 damaged places/);
  assert.equal(existsSync(path.join(directory, 'admin.sock')), false);
  assert.equal((await run(directory, 'purge', 'a')).code, 0);
  assert.equal(existsSync(at), false);
});
