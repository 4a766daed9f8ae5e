import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Acknowledgement } from '../src/acknowledgement.ts';
import type { EnginePool } from '../src/engine/pool.ts';
import { type Body, type Counts, noCounts, type Verdict } from '../src/model/body.ts';
import type { Outlet } from '../src/outlet.ts';
import { FakeMeter } from './deliver/support.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const format = { encoding: 'plain', protocol: 'promremotewrite', extraLabels: [] } as const;

async function open(fs: MemoryFs, promise: 'written' | 'synced' = 'synced') {
  const log = recordingLogger();
  const refused: Counts[] = [];
  const onRefused = (counts: Readonly<Counts>) => refused.push(counts);
  const acknowledgement = new Acknowledgement(
    { promise, dataDirectory: '/d', journalBytesMax: 1_000_000 },
    { fs, clock: new FakeClock(), log, meter: new FakeMeter(), onRefused },
  );
  await acknowledgement.open();
  return { acknowledgement, log, refused };
}

/** An engine that refuses what its judge says. */
function world(isRefused: (text: string) => boolean) {
  const taken: string[] = [];
  let id = 0;
  const engine = {
    hasRoom: true,
    firstHeld: undefined,
    replay({ bytes }: Body) {
      const text = Buffer.from(bytes).toString();
      const verdict: Verdict = isRefused(text)
        ? { ok: false, status: 413, reason: 'too_large', error: 'it is too large' }
        : { ok: true, counts: noCounts };
      if (verdict.ok) taken.push(text);
      return { id: ++id, verdict: Promise.resolve(verdict) };
    },
  } as unknown as EnginePool;
  const outlet = { queue: { config: { onDisk: true }, firstUnsafeBody: undefined } } as unknown as Outlet;
  return { engine, outlet, taken };
}

/** A journal with the requests one, two, three. */
async function killed(): Promise<MemoryFs> {
  const fs = new MemoryFs();
  const { acknowledgement } = await open(fs);
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    const counts = { ...noCounts, samples: index + 1 };
    await acknowledgement.commit!({ id: index + 1, format, bytes: Buffer.from(text), counts, arrivedMs: 0 });
  }
  fs.crash(() => 0.9);
  return fs;
}

test('what was acknowledged and is refused at the replay is kept, told and counted', async () => {
  const fs = await killed();
  const { acknowledgement, log, refused } = await open(fs);
  const { engine, outlet, taken } = world((text) => text.startsWith('t'));
  await acknowledgement.replay(engine);
  assert.deepEqual(taken, ['one']);
  const kept = fs.files().filter((file) => file.startsWith('/d/quarantine/'));
  assert.deepEqual(
    kept.map((file) => fs.bytesOf(file).toString()),
    ['two', 'three'],
  );
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 2);
  assert.deepEqual(
    refused.map(({ samples }) => samples),
    [2, 3],
  );
  acknowledgement.release(engine, [outlet]);
  await acknowledgement.close();
  const { acknowledgement: next } = await open(fs);
  const again = world(() => false);
  await next.replay(again.engine);
  assert.deepEqual(again.taken, []);
});

test('what is refused and cannot be kept stops the start, and stays in the journal', async () => {
  const fs = await killed();
  const { acknowledgement } = await open(fs);
  fs.capacity = fs.used;
  await assert.rejects(
    acknowledgement.replay(world((text) => text === 'two').engine),
    /cannot keep a request of the journal, .*\/d\/quarantine\/.*-journal-2\.body: ENOSPC; .*it is too large/,
  );
  fs.capacity = Number.POSITIVE_INFINITY;
  const { acknowledgement: next } = await open(fs);
  const { engine, taken } = world(() => false);
  await next.replay(engine);
  assert.deepEqual(taken, ['one', 'two', 'three']);
});

test('a journal that cannot be closed holds up no stop, and is told', async () => {
  const fs = new MemoryFs();
  const { acknowledgement, log } = await open(fs, 'written');
  await acknowledgement.commit!({ id: 1, format, bytes: Buffer.from('one'), counts: noCounts, arrivedMs: 0 });
  fs.onOperation = (operation) => {
    if (operation === 'sync' || operation === 'write') throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await acknowledgement.close();
  assert.ok(
    log.lines.some(({ level, message }) => level === 'error' && /cannot close the journal/.test(message)),
  );
});
