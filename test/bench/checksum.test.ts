/** The bench's verdict "every sample arrived" must fail when one did not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uncompress } from 'snappyjs';
import { addAccount, addRequest, emptyAccount } from '../../bench/load/checksum.ts';
import { makeWorkload } from '../../bench/load/workload.ts';
import { decodeWriteRequest } from '../support/remote-write.ts';

const spec = { series: 300, seriesPerRequest: 50, scrapes: 2 };
const bodies = makeWorkload(spec);

function accountOf(raws: readonly Uint8Array[]) {
  const account = emptyAccount();
  for (const raw of raws) addRequest(account, raw);
  return account;
}

const sent = accountOf(bodies.map(({ raw }) => raw));

test('the account does not depend on order and grouping', () => {
  const joined = Buffer.concat(bodies.map(({ raw }) => raw).toReversed());
  assert.deepEqual(accountOf([joined]), sent);
  const parts = emptyAccount();
  for (const { raw } of bodies) addAccount(parts, accountOf([raw]));
  assert.deepEqual(parts, sent);
});

test('a lost, a doubled and a changed sample are seen', () => {
  const raws = bodies.map(({ raw }) => raw);
  assert.notDeepEqual(accountOf(raws.slice(1)), sent);
  const oneForAnother = [...raws.slice(1), raws[1]!];
  assert.equal(accountOf(oneForAnother).samples, sent.samples);
  assert.notEqual(accountOf(oneForAnother).checksum, sent.checksum);
  const changed = Buffer.from(raws[0]!);
  changed[changed.length - 1]! ^= 1; // the highest bits of the last timestamp
  assert.notEqual(accountOf([changed, ...raws.slice(1)]).checksum, sent.checksum);
});

test('malformed bytes are an error, not a smaller account', () => {
  assert.throws(() => accountOf([bodies[0]!.raw.subarray(0, -3)]), /goes past the end/);
});

test('the workload is what it says: sorted labels, distinct series, one sample each, ~300 bytes', () => {
  const keys = new Set<string>();
  let bytes = 0;
  for (const { raw, compressed, samples } of bodies) {
    assert.deepEqual(uncompress(compressed), raw);
    const { series } = decodeWriteRequest(raw);
    assert.equal(series.length, samples);
    bytes += raw.length;
    for (const { labels, points } of series) {
      assert.deepEqual(Object.keys(labels), Object.keys(labels).toSorted());
      assert.equal(points.length, 1);
      keys.add(JSON.stringify([labels, points[0]!.timestampMs]));
    }
  }
  assert.equal(keys.size, spec.series * spec.scrapes);
  const perSeries = bytes / keys.size;
  assert.ok(perSeries > 270 && perSeries < 340, `${perSeries} bytes a series`);
});
