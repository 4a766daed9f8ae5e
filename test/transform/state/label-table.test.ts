import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { LabelTable } from '../../../src/transform/state/label-table.ts';
import { NO_SLOT } from '../../../src/transform/state/slots.ts';

const labels = (...values: string[]) => Labels.of(values.map((value, index) => [`l${index}`, value]));

test('label sets have slots, and labels go with the last one that has them', () => {
  const table = new LabelTable(2);
  const one = table.place(labels('a', 'b'));
  const other = table.place(labels('a', 'c'));
  assert.notEqual(one, other);
  assert.equal(table.place(labels('a', 'b')), one);
  assert.equal(table.place(labels('x')), NO_SLOT);
  assert.equal(table.pairs.size, 3, 'labels of what has no room are not kept');
  table.release(one);
  assert.equal(table.pairs.size, 2);
  assert.equal(table.place(labels(...Array.from({ length: 200 }, (_, nth) => `${nth}`))), one);
  assert.equal(table.place(labels('a', 'c')), other);
});

test('a text that is no valid UTF-16 is the same series each time', () => {
  const table = new LabelTable(2);
  assert.equal(table.place(labels('\ud800')), table.place(labels('\udfff')));
  assert.equal(table.pairs.size, 1);
});

test('saved tables go on; a key of labels that are not there is damage', () => {
  const table = new LabelTable(5);
  for (const value of ['a', 'b', 'c']) table.place(labels('x', value));
  table.release(table.place(labels('x', 'b')));
  const to = new ByteWriter();
  table.save(to);
  to.numbers(new Float64Array(10));
  const next = new LabelTable(5);
  next.load(new ByteReader(to.bytes()));
  assert.equal(next.place(labels('x', 'c')), table.place(labels('x', 'c')));
  for (const value of ['a', 'c']) next.release(next.place(labels('x', value)));
  assert.deepEqual([next.pairs.size, next.keys.size], [0, 0]);

  const broken = new ByteWriter();
  table.pairs.save(broken);
  for (const word of [1, 1, 0]) broken.u32(word);
  broken.numbers(new Uint8Array(1));
  broken.blob(Uint8Array.of(1, 99));
  broken.numbers(new Float64Array(10));
  assert.throws(() => new LabelTable(5).load(new ByteReader(broken.bytes())), DamagedState);
});
