import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Buckets } from '../../../src/transform/aggregate/buckets.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { Rows } from '../../../src/transform/state/columns.ts';

const GROUPS = 5;

function found(buckets: Buckets): [number, number, number][] {
  const all: [number, number, number][] = [];
  for (let group = 0; group < GROUPS; group++)
    buckets.each(group, (bucket, count) => all.push([group, bucket, count]));
  return all;
}

test('counts are those of a map, also after groups were cleared, and after a restart', () => {
  const add = fc.record({
    group: fc.nat(GROUPS - 1),
    bucket: fc.integer({ min: -1, max: 486 }),
    isClear: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(add, { maxLength: 100 }), fc.nat(100), (adds, restartAt) => {
      let rows = new Rows();
      let buckets = new Buckets(rows);
      const model = new Map<string, [number, number, number]>();
      for (const [index, { group, bucket, isClear }] of adds.entries()) {
        if (index === restartAt) {
          const to = new ByteWriter();
          rows.save(to, GROUPS);
          buckets.save(to);
          rows = new Rows();
          buckets = new Buckets(rows);
          const from = new ByteReader(to.bytes());
          rows.load(from, GROUPS);
          buckets.load(from);
        }
        if (isClear === 0) {
          buckets.clear(group);
          for (const key of model.keys()) if (key.startsWith(`${group} `)) model.delete(key);
        }
        buckets.add(group, bucket, 2);
        const key = `${group} ${bucket}`;
        model.set(key, [group, bucket, (model.get(key)?.[2] ?? 0) + 2]);
      }
      const expected = [...model.values()].sort(([a, b], [c, d]) => a - c || b - d);
      assert.deepEqual(found(buckets), expected);
      assert.ok(buckets.byteLength > 0);
    }),
  );
});

test('a place beyond the counts is damage', () => {
  const rows = new Rows();
  const buckets = new Buckets(rows);
  buckets.add(0, 5, 1);
  const to = new ByteWriter();
  rows.save(to, GROUPS);
  to.u32(0);
  to.u32(0);
  const next = new Rows();
  const empty = new Buckets(next);
  const from = new ByteReader(to.bytes());
  next.load(from, GROUPS);
  assert.throws(() => empty.load(from), DamagedState);
});
