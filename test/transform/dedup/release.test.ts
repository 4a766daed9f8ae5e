import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Release } from '../../../src/transform/dedup/release.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';

const next = ({ slot, timestampMs, low, high }: Release) => [slot, timestampMs, low, high];

test('samples go out in their order, also over a restart in their midst', () => {
  const release = new Release();
  release.reserve(3);
  for (let slot = 0; slot < 3; slot++) release.add(slot, 1e12 + slot, 2, 0x7ff00000 + slot);
  release.next();
  const to = new ByteWriter();
  release.save(to);
  const other = new Release();
  other.load(new ByteReader(to.bytes()), (slot) => slot < 3);
  for (const one of [release, other]) {
    assert.equal(one.size, 2);
    assert.ok(one.byteLength > 0);
    assert.deepEqual(next(one), [1, 1e12 + 1, 2, 0x7ff00001]);
    one.next();
    assert.deepEqual(next(one), [2, 1e12 + 2, 2, 0x7ff00002]);
    one.next();
    assert.deepEqual([one.size, one.byteLength], [0, 0]);
  }
  assert.throws(() => new Release().load(new ByteReader(to.bytes()), () => false), DamagedState);
});
