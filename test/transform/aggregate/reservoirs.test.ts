import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESERVOIR_VALUES_MAX, Reservoirs } from '../../../src/transform/aggregate/reservoirs.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { Rows } from '../../../src/transform/state/columns.ts';

test('groups that grow side by side keep their own values', () => {
  const reservoirs = new Reservoirs(new Rows());
  for (let index = 0; index < RESERVOIR_VALUES_MAX; index++) {
    for (const group of [0, 1, 2])
      if (index % (group + 1) === 0) reservoirs.add(group, group * 10_000 + index);
  }
  for (const group of [0, 1, 2]) {
    const expected = Array.from({ length: RESERVOIR_VALUES_MAX }, (_, index) => index).filter(
      (index) => index % (group + 1) === 0,
    );
    assert.equal(reservoirs.count(group), expected.length);
    assert.deepEqual(
      [...reservoirs.sorted(group)],
      expected.map((index) => group * 10_000 + index),
    );
  }
  reservoirs.startWindow();
  assert.equal(reservoirs.count(0), 0);
  assert.equal(reservoirs.sorted(0).length, 0);
});

test('ranks, and the true ends', () => {
  const reservoirs = new Reservoirs(new Rows());
  for (const value of [5, 1, 4, 2, 3]) reservoirs.add(0, value);
  const sorted = reservoirs.sorted(0);
  const cases: [phi: number, value: number][] = [
    [0, 1],
    [0.1, 1],
    [0.125, 2],
    [0.5, 3],
    [0.87, 4],
    [0.9, 5],
    [1, 5],
  ];
  for (const [phi, value] of cases) assert.equal(reservoirs.quantile(0, sorted, phi), value, String(phi));
});

test('the same values are drawn after a restart, over many more than are kept', () => {
  const fill = (restartAt: number) => {
    let rows = new Rows();
    let reservoirs = new Reservoirs(rows);
    for (let index = 0; index < 5000; index++) {
      if (index === restartAt) {
        const to = new ByteWriter();
        rows.save(to, 3);
        reservoirs.save(to);
        rows = new Rows();
        reservoirs = new Reservoirs(rows);
        const from = new ByteReader(to.bytes());
        rows.load(from, 3);
        reservoirs.load(from);
      }
      reservoirs.add(2, index);
    }
    return [...reservoirs.sorted(2)];
  };
  const values = fill(-1);
  assert.equal(values.length, RESERVOIR_VALUES_MAX);
  for (const restartAt of [1, 100, 3000]) assert.deepEqual(fill(restartAt), values);
  const middle = values[500]!;
  assert.ok(middle > 2000 && middle < 3000, 'drawn from all of them');
});

test('more values than bytes are damage', () => {
  const to = new ByteWriter();
  to.u32(2 ** 27);
  assert.throws(() => new Reservoirs(new Rows()).load(new ByteReader(to.bytes())), DamagedState);
});
