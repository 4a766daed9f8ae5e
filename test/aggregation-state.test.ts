/** The file of aggregation: when it is written, what it makes the journal keep, and what a crash or damage leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AggregationState } from '../src/aggregation-state.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';

async function setUp(fs = new MemoryFs(), isKept = true) {
  const log = recordingLogger();
  const world = {
    isActive: true,
    safeTo: Number.POSITIVE_INFINITY,
    seq: (id: number): number | undefined => id + 100,
  };
  const clock = new FakeClock();
  await fs.makeDirectory();
  const state = new AggregationState(
    { dataDirectory: '/data', isKept },
    {
      fs,
      clock,
      log,
      isActive: () => world.isActive,
      isSafeTo: (id) => id < world.safeTo,
      seqUpTo: (id) => world.seq(id),
    },
  );
  return { fs, log, world, state, clock };
}

const bytes = (...values: number[]) => Uint8Array.from(values);

test('the state is written when nothing that it no longer holds can be lost, and is found again', async () => {
  const { fs, world, state } = await setUp();
  assert.equal(await state.open(), undefined);
  assert.equal(state.neededFrom, 0);
  world.safeTo = 5;
  state.offer({ bytes: bytes(1, 2, 3), at: 7.5 });
  await state.maintain();
  assert.equal(state.neededFrom, 0, 'an output before is still on its way');
  world.safeTo = 8;
  world.seq = () => undefined;
  await state.maintain();
  assert.equal(state.neededFrom, 0, 'a request before is not in the journal yet');
  world.seq = (id) => id + 100;
  await state.maintain();
  assert.equal(state.neededFrom, 8);
  fs.crash(() => 0.5);
  const next = await setUp(fs);
  assert.deepEqual(await next.state.open(), bytes(1, 2, 3));
  assert.equal(next.state.takenSeq, 107);
});

test('a write that fails leaves the old file; a later one takes its place', async () => {
  const { fs, log, state } = await setUp();
  state.offer({ bytes: bytes(1), at: 1 });
  await state.maintain();
  fs.onOperation = (operation) => {
    if (operation === 'write') throw new Error('no room');
  };
  state.offer({ bytes: bytes(2), at: 2 });
  await state.maintain();
  assert.equal(await state.close(), false);
  assert.match(JSON.stringify(log.lines), /no room/);
  assert.equal(state.neededFrom, 2);
  fs.onOperation = () => {};
  assert.deepEqual(await (await setUp(fs)).state.open(), bytes(1));
  assert.equal(await state.close(), true);
  assert.deepEqual(await (await setUp(fs)).state.open(), bytes(2));
});

test('the file is written every ten seconds at most, and a state that another one took the place of is given back', async () => {
  const { state, clock } = await setUp();
  state.offer({ bytes: bytes(1), at: 1 });
  await state.maintain();
  state.offer({ bytes: bytes(2), at: 2 });
  await state.maintain();
  assert.equal(state.neededFrom, 2);
  clock.advance(9_999);
  state.offer({ bytes: bytes(3), at: 3 });
  assert.deepEqual(
    [1, 2, 3].map(() => state.takeUnused()?.at),
    [2, 1, undefined],
  );
  await state.maintain();
  assert.equal(state.neededFrom, 2);
  clock.advance(1);
  const writing = state.maintain();
  assert.ok(state.isWriting);
  state.offer({ bytes: bytes(4), at: 4 });
  assert.equal(state.takeUnused(), undefined, 'it is being written');
  await writing;
  assert.equal(state.isWriting, false);
  assert.equal(state.neededFrom, 4);
  state.offer({ bytes: bytes(5), at: 5 });
  assert.deepEqual(
    [1, 2, 3].map(() => state.takeUnused()?.at),
    [4, 3, undefined],
  );
});

test('a damaged file is told, and nothing is believed of it', async () => {
  const { fs, state } = await setUp();
  state.offer({ bytes: bytes(1, 2, 3, 4), at: 1 });
  await state.maintain();
  const [file] = fs.files();
  const whole = await fs.size(file!);
  for (let at = 0; at < whole; at++) {
    const broken = await setUp(fs);
    fs.flip(file!, at);
    assert.equal(await broken.state.open(), undefined);
    assert.equal(broken.state.takenSeq, 0);
    assert.match(broken.log.lines[0]!.message, /damaged/);
    fs.flip(file!, at);
  }
  assert.deepEqual(await (await setUp(fs)).state.open(), bytes(1, 2, 3, 4));
});

test('where state is not kept, nothing is written, and what an earlier run left goes', async () => {
  const { fs, state } = await setUp();
  state.offer({ bytes: bytes(1), at: 1 });
  await state.maintain();
  const other = await setUp(fs, false);
  assert.equal(await other.state.open(), undefined);
  other.state.offer({ bytes: bytes(1), at: 1 });
  await other.state.maintain();
  assert.equal(await other.state.close(), true);
  assert.equal(other.state.neededFrom, Number.POSITIVE_INFINITY);
  assert.deepEqual(fs.files(), []);
});

test('when the last rule goes, its state goes', async () => {
  const { fs, world, state } = await setUp();
  state.offer({ bytes: bytes(1), at: 1 });
  await state.maintain();
  world.isActive = false;
  await state.maintain();
  assert.deepEqual(fs.files(), []);
  assert.equal(await state.close(), true);
  assert.deepEqual(fs.files(), []);
});
