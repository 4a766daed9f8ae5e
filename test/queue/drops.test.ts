import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drops } from '../../src/queue/drops.ts';
import { makeBlock } from '../support/blocks.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

test('what is dropped is counted and said', () => {
  const log = recordingLogger();
  const drops = new Drops('/q', log);
  drops.note(makeBlock(1, { bytes: Buffer.alloc(10) }), 100);
  drops.note(makeBlock(2, { bytes: Buffer.alloc(20) }), 100);
  assert.deepEqual([drops.blocks, drops.bytes], [2, 30]);
  assert.match(JSON.stringify(log.lines), /is full/);
});
