import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DedupWindow } from '../../../src/transform/dedup/window.ts';
import { ByteReader, ByteWriter } from '../../../src/transform/state/bytes.ts';
import { STALE, type Value } from '../support/batch.ts';

interface One {
  readonly slot: number;
  readonly timestampMs: number;
  readonly value: Value;
}

const NAN = 0x7ff8_0000_0000_0000n;

function bitsOf(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!;
}

function numberOf(value: Value): number {
  return new Float64Array(BigUint64Array.of(bitsOf(value)).buffer)[0]!;
}

function fold(window: DedupWindow, samples: readonly One[], colour: 0 | 1 = 0): void {
  const values = new Float64Array(BigUint64Array.from(samples.map(({ value }) => bitsOf(value))).buffer);
  window.fold({
    length: samples.length,
    colour,
    series: Int32Array.from(samples.map(({ slot }) => slot)),
    times: Float64Array.from(samples.map(({ timestampMs }) => timestampMs)),
    values,
    words: new Uint32Array(values.buffer),
  });
}

type Kept = [slot: number, timestampMs: number, bits: bigint];

function drain(window: DedupWindow, colour: 0 | 1 = 0): Kept[] {
  const kept: Kept[] = [];
  window.drain(colour, (slot, timestampMs, low, high) => {
    kept.push([slot, timestampMs, (BigInt(high) << 32n) | BigInt(low)]);
  });
  return kept;
}

/** The table of the rule, row by row. */
function better(held: One, next: One): One {
  if (next.timestampMs > held.timestampMs) return next;
  if (next.timestampMs < held.timestampMs) return held;
  if (bitsOf(held.value) === STALE) return next;
  return numberOf(next.value) > numberOf(held.value) ? next : held;
}

function keptOf(samples: readonly One[]): Kept[] {
  const held = new Map<number, One>();
  for (const one of samples) {
    const before = held.get(one.slot);
    held.set(one.slot, before === undefined ? one : better(before, one));
  }
  return [...held.values()].map(({ slot, timestampMs, value }) => [slot, timestampMs, bitsOf(value)]);
}

test('which of two samples is kept', () => {
  const cases: [first: [number, Value], second: [number, Value], kept: [number, Value]][] = [
    [
      [1000, 1],
      [1000, STALE],
      [1000, 1],
    ],
    [
      [1000, STALE],
      [1000, 2],
      [1000, 2],
    ],
    [
      [2000, 2],
      [1000, 1],
      [2000, 2],
    ],
    [
      [1000, 1],
      [2000, STALE],
      [2000, STALE],
    ],
    [
      [1000, 1],
      [1000, 2],
      [1000, 2],
    ],
    [
      [1000, 2],
      [1000, 1],
      [1000, 2],
    ],
    [
      [1000, STALE],
      [1000, STALE],
      [1000, STALE],
    ],
    [
      [1000, STALE],
      [1000, NAN],
      [1000, NAN],
    ],
    [
      [1000, NAN],
      [1000, 5],
      [1000, NAN],
    ],
    [
      [1000, 5],
      [1000, NAN],
      [1000, 5],
    ],
  ];
  for (const [first, second, [timestampMs, value]] of cases) {
    const window = new DedupWindow(1);
    const samples = [first, second].map(([time, one]) => ({ slot: 0, timestampMs: time, value: one }));
    fold(window, samples);
    assert.deepEqual(drain(window), [[0, timestampMs, bitsOf(value)]], JSON.stringify(samples.map(String)));
    assert.equal(window.dropped, 1);
  }
});

const anyOne: fc.Arbitrary<One> = fc.record({
  slot: fc.nat(200),
  timestampMs: fc.integer({ min: -2, max: 4 }).map((second) => second * 1000),
  value: fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(STALE, NAN, 0x7ff4_0000_0000_0001n, -0, 1e300),
  ),
});

test('one sample a series is kept, bit for bit, in any number of requests and over a restart', () => {
  const requests = fc.array(fc.array(anyOne, { maxLength: 30 }), { maxLength: 8 });
  fc.assert(
    fc.property(requests, fc.nat(8), (all, restartAt) => {
      let window = new DedupWindow(1);
      window.reserve(201);
      for (const [index, samples] of all.entries()) {
        if (index === restartAt) window = restarted(window, 1);
        fold(window, samples);
      }
      const samples = all.flat();
      const expected = keptOf(samples);
      assert.equal(window.size, expected.length);
      for (const [slot] of expected) assert.ok(window.holds(slot));
      assert.deepEqual(drain(window), expected);
      assert.deepEqual(drain(window), []);
      assert.equal(window.size, 0);
    }),
    { numRuns: 2000 },
  );
});

function restarted(window: DedupWindow, colours: 1 | 2): DedupWindow {
  const to = new ByteWriter();
  window.save(to, 201);
  const next = new DedupWindow(colours);
  next.load(new ByteReader(to.bytes()), 201);
  return next;
}

test('colours do not mix', () => {
  let window = new DedupWindow(2);
  window.reserve(201);
  fold(window, [{ slot: 1, timestampMs: 1, value: 1 }], 0);
  fold(window, [{ slot: 1, timestampMs: 2, value: 2 }], 1);
  window = restarted(window, 2);
  assert.equal(window.size, 2);
  assert.deepEqual(drain(window, 0), [[1, 1, bitsOf(1)]]);
  assert.ok(window.holds(1));
  assert.deepEqual(drain(window, 1), [[1, 2, bitsOf(2)]]);
  assert.ok(!window.holds(1));
  assert.ok(window.byteLength > 0);
});
