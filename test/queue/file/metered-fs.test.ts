import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeFs } from '../../../src/queue/file/fs.ts';
import { meteredFs } from '../../../src/queue/file/metered-fs.ts';
import { FakeMeter } from '../../deliver/support.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('reads, writes and syncs are counted, failed ones too', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-fs-'));
  t.after(() => rm(root, { recursive: true }));
  const meter = new FakeMeter();
  const clock = new FakeClock();
  const slow = {
    ...nodeFs,
    async create(name: string) {
      const file = await nodeFs.create(name);
      return Object.assign(Object.create(file), {
        write: (chunks: readonly Uint8Array[], at: number) => file.write(chunks, at),
        read: (target: Uint8Array, at: number) => file.read(target, at),
        close: () => file.close(),
        sync: async () => {
          clock.advance(2_000);
          throw new Error('EIO');
        },
      });
    },
  };
  const fs = meteredFs(slow, meter, clock);
  const file = await fs.create(path.join(root, 'one'));
  await file.write([Buffer.alloc(10), Buffer.alloc(5)], 0);
  assert.equal(await file.read(Buffer.alloc(100), 3), 12);
  await assert.rejects(file.sync(), /EIO/);
  await file.close();
  const value = (name: string) => meter.value(`vm_filestream_${name}`);
  assert.deepEqual(
    [
      value('write_calls_total'),
      value('write_bytes_total'),
      value('read_calls_total'),
      value('read_bytes_total'),
    ],
    [1, 15, 1, 12],
  );
  assert.deepEqual([value('fsync_calls_total'), value('fsync_duration_seconds_total')], [1, 2]);
});
