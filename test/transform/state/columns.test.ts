import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { Rows } from '../../../src/transform/state/columns.ts';

test('columns grow together and keep what they hold', () => {
  const rows = new Rows(2);
  const lasting = rows.column(-1, 3);
  const window = rows.window(7);
  lasting.data.set([1, 2, 3], 30);
  window[1]!.data[10] = 4;
  const before = rows.byteLength;
  rows.reserve(1000);
  assert.ok(rows.byteLength > before);
  assert.deepEqual([...lasting.data.subarray(27, 36)], [-1, -1, -1, 1, 2, 3, -1, -1, -1]);
  assert.equal(lasting.data.at(-1), -1);
  assert.deepEqual([window[0]!.data[10], window[1]!.data[10], window[1]!.data.at(-1)], [7, 4, 7]);
  const { data } = lasting;
  rows.reserve(10);
  assert.equal(lasting.data, data, 'never smaller');
});

test('the widest column says how many rows there can be', () => {
  const rows = new Rows();
  assert.equal(rows.rowsMax, Number.POSITIVE_INFINITY);
  rows.column();
  rows.window();
  assert.equal(rows.rowsMax, 2 ** 27);
  rows.column(0, 1000);
  assert.equal(rows.rowsMax, 134_217);
});

test('a row is cleared, a window begins', () => {
  const rows = new Rows(2);
  const lasting = rows.column(0, 2);
  const window = rows.window(-1);
  const [first, second] = [window[0]!, window[1]!];
  for (const { data } of [lasting, first, second]) data.fill(5);
  rows.clear(1);
  assert.deepEqual([...lasting.data.subarray(0, 6)], [5, 5, 0, 0, 5, 5]);
  assert.deepEqual([...first.data.subarray(0, 3)], [5, -1, 5]);
  rows.startWindow(0);
  assert.deepEqual([first.data[0], second.data[0], lasting.data[0]], [-1, 5, 5]);
});

test('rows are saved, and only fit columns of the same form', () => {
  const rows = new Rows();
  rows.column(0, 2).data.set([1, 2, 3, 4]);
  rows.window().map(({ data }) => data.set([5, 6]));
  const to = new ByteWriter();
  rows.save(to, 2);
  const next = new Rows();
  const lasting = next.column(0, 2);
  const [window] = next.window();
  next.load(new ByteReader(to.bytes()), 2);
  assert.deepEqual([...lasting.data.subarray(0, 5)], [1, 2, 3, 4, 0]);
  assert.deepEqual([...window!.data.subarray(0, 3)], [5, 6, 0]);
  const other = new Rows();
  other.column();
  other.window();
  assert.throws(() => other.load(new ByteReader(to.bytes()), 2), DamagedState);
  assert.throws(() => new Rows().load(new ByteReader(to.bytes()), 2), DamagedState);
  assert.throws(() => new Rows().load(new ByteReader(to.bytes().subarray(0, -1)), 2), DamagedState);
  const huge = new Rows();
  huge.column(0, 2);
  huge.window();
  assert.throws(() => huge.load(new ByteReader(to.bytes()), 2 ** 40), DamagedState);
});
