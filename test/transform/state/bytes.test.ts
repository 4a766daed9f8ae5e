import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ByteReader,
  ByteWriter,
  createStateMemory,
  DamagedState,
} from '../../../src/transform/state/bytes.ts';

test('what was written is read, bit for bit, beyond the first buffer', () => {
  const stale = new Float64Array(BigUint64Array.of(0x7ff0_0000_0000_0002n, 1n).buffer);
  const to = new ByteWriter();
  for (let index = 0; index < 500; index++) {
    to.u32(0xffff_ffff);
    to.f64(-0.1);
    to.text('größer');
    to.text('\xff\x00', 'latin1');
    to.numbers(stale);
    to.numbers(Int32Array.of(-1, 7, 9), 2);
    to.blob(Uint8Array.of(1, 2));
  }
  const from = new ByteReader(to.bytes());
  assert.equal(to.length, from.left);
  for (let index = 0; index < 500; index++) {
    assert.equal(from.u32(), 0xffff_ffff);
    assert.equal(from.f64(), -0.1);
    assert.equal(from.text(), 'größer');
    assert.equal(from.text('latin1'), '\xff\x00');
    const numbers = new Float64Array(2);
    from.numbers(numbers);
    assert.deepEqual(new BigUint64Array(numbers.buffer), new BigUint64Array(stale.buffer));
    const integers = new Int32Array(5);
    from.numbers(integers, 2);
    assert.deepEqual([...integers], [-1, 7, 0, 0, 0]);
    assert.deepEqual([...from.blob()], [1, 2]);
  }
  assert.equal(from.left, 0);
});

test('shared memory grows where it lies, and serves again', () => {
  const memory = createStateMemory();
  for (const count of [10_000, 3, 20_000]) {
    const to = new ByteWriter(undefined, memory);
    to.text('size');
    to.numbers(new Float64Array(count).fill(count));
    const written = to.bytes();
    assert.equal(written.buffer, memory);
    const from = new ByteReader(written);
    assert.equal(from.text(), 'size');
    const numbers = new Float64Array(count);
    from.numbers(numbers);
    assert.deepEqual([from.left, numbers.every((number) => number === count)], [0, true]);
  }
});

test('what is not there is damage', () => {
  const reader = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes));
  for (const read of [
    () => reader(1, 2, 3).u32(),
    () => reader(1, 2, 3, 4).f64(),
    () => reader(255, 255, 255, 255).text(),
    () => reader(5, 0, 0, 0, 1).blob(),
    () => reader(2, 0, 0, 0, 1, 2, 3).count(2),
    () => reader(1, 2).numbers(new Float64Array(1)),
    () => reader(...new Array(64).fill(0)).numbers(new Float64Array(1), 2),
    () => reader(1, 0, 0, 0).expect(2, 'it'),
  ]) {
    assert.throws(read, DamagedState);
  }
  assert.equal(reader(2, 0, 0, 0, 1, 2, 3, 4).count(2), 2);
});

test('an entry that is too much leaves nothing behind; other errors are errors', () => {
  const to = new ByteWriter(10_000);
  const entry = (name: string, count: number) =>
    to.entry(name, (inside) => inside.numbers(new Float64Array(count)));
  assert.equal(entry('a', 600), true);
  assert.equal(entry('b', 700), false);
  assert.equal(entry('c', 10), true);
  assert.throws(() => to.entry('d', () => assert.fail('broken')), /broken/);
  const from = new ByteReader(to.bytes());
  assert.deepEqual([from.text(), from.blob().length, from.text(), from.blob().length], ['a', 4800, 'c', 80]);
});
