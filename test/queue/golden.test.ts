/** Queue directories as earlier versions wrote them are read by this one, for ever. One directory for each version of the format. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeBlock } from '../../src/destination/recode.ts';
import type { Codec } from '../../src/model/block.ts';
import { SEGMENT_VERSION } from '../../src/queue/file/format.ts';
import { nodeFs } from '../../src/queue/file/fs.ts';
import { SegmentLog } from '../../src/queue/file/log.ts';
import { systemClock } from '../../src/util/clock.ts';
import { temporaryDirectory } from '../support/process.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const golden = join(import.meta.dirname, 'golden');

test('there is a directory for each version', () => {
  const versions = Array.from({ length: SEGMENT_VERSION }, (_, index) => `v${index + 1}`);
  assert.deepEqual(readdirSync(golden).sort(), versions);
});

for (const version of readdirSync(golden)) {
  test(`a queue of format ${version} is read`, async (t) => {
    const directory = temporaryDirectory(t);
    cpSync(join(golden, version), directory, { recursive: true });
    const log = recordingLogger();
    const opened = await SegmentLog.open(
      { directory, segmentBytes: 1_000 },
      { fs: nodeFs, clock: systemClock, log },
    );
    // The first of its six blocks was sent.
    assert.equal(opened.contents.counts.samples, 5);
    const names: string[] = [];
    for (let record = await opened.log.next(); record !== undefined; record = await opened.log.next()) {
      const { type, rawLength } = record.header;
      const raw = await decodeBlock({ codec: type as Codec, bytes: record.payload!, rawLength });
      names.push(/golden_\d/.exec(Buffer.from(raw).toString('latin1'))![0]);
    }
    assert.deepEqual(names, ['golden_2', 'golden_3', 'golden_4', 'golden_5', 'golden_6']);
    assert.deepEqual(log.lines, []);
  });
}
