import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthVerbatim, type LaneConfig, pickLane, slicesOf } from '../../src/encode/lane.ts';
import type { Parcel } from '../../src/encode/parcel.ts';
import { noCounts } from '../../src/model/body.ts';

const limits = { rowsMax: 1_000, rawBytesMax: 1_000_000, metadataMax: 100 };
const snappy: LaneConfig = { codec: 'snappy', metadata: true, parallel: 1 };

const parcel = (over: Partial<Parcel> = {}): Parcel => ({
  body: 1,
  elementsPtr: 8,
  elementsLength: 10_000,
  rawPtr: 16,
  rawLength: 100_000,
  counts: { ...noCounts, series: 500, samples: 500 },
  labels: 5_000,
  everySeriesHasData: true,
  suffixPtr: 0,
  suffixLength: 0,
  suffixLabels: 0,
  isShaped: false,
  ...over,
});

test('the cheapest exact lane is taken', () => {
  assert.equal(pickLane(snappy, limits, parcel()), 'verbatim');
  assert.equal(pickLane({ ...snappy, codec: 'zstd' }, limits, parcel()), 'join');
  assert.equal(pickLane(snappy, limits, parcel({ elementsLength: 0 })), 'join', 'it did not come as snappy');
  assert.equal(pickLane(snappy, limits, parcel({ rawLength: 3_000 })), 'join', 'too small to be worth it');
  assert.equal(isWorthVerbatim(3_000), false);
});

test('whatever changes or splits a body takes the column lane', () => {
  const metadata = parcel({ counts: { ...noCounts, series: 1, samples: 1, metadata: 1 } });
  const others = parcel({ counts: { ...noCounts, series: 2, histograms: 1, exemplars: 1 } });
  const cases: [string, Partial<LaneConfig>, Parcel][] = [
    ['extra labels', {}, parcel({ suffixLength: 10, suffixLabels: 1 })],
    ['series without data', {}, parcel({ everySeriesHasData: false })],
    ['several lanes', { parallel: 4 }, parcel()],
    ['metadata that is not wanted', { metadata: false }, metadata],
    ['histograms that are not wanted', { withoutHistograms: true }, others],
    ['exemplars that are not wanted', { withoutExemplars: true }, others],
    ['too many rows', {}, parcel({ counts: { ...noCounts, samples: 900, histograms: 200 } })],
    ['too many labels', {}, parcel({ labels: 10_001 })],
    ['too many bytes', {}, parcel({ rawLength: 1_000_001 })],
    ['too much metadata', {}, parcel({ counts: { ...noCounts, samples: 1, metadata: 101 } })],
  ];
  for (const [what, config, one] of cases) {
    assert.equal(pickLane({ ...snappy, ...config }, limits, one), 'column', what);
  }
  assert.equal(pickLane(snappy, limits, metadata), 'verbatim', 'wanted metadata travels along');
  assert.equal(
    pickLane({ ...snappy, withoutHistograms: true, withoutExemplars: true }, limits, parcel()),
    'verbatim',
  );
});

test('a body that is too large goes in slices where it can be cut, if each of them fits', () => {
  const at = (part: number) => ({
    bytes: 40_000 * part,
    elements: 4_000 * part,
    counts: { ...noCounts, series: 80 * part, samples: 800 * part },
    labels: 640 * part,
  });
  const large = parcel({
    rawLength: 100_000,
    counts: { ...noCounts, series: 200, samples: 2_000 },
    labels: 1_600,
  });
  const cut = { ...large, cuts: [at(1), at(2)] };
  assert.equal(pickLane(snappy, limits, large), 'column');
  assert.equal(pickLane(snappy, limits, cut), 'verbatim');
  assert.equal(pickLane(snappy, limits, { ...cut, elementsLength: 0 }), 'join');
  assert.equal(pickLane(snappy, limits, { ...cut, cuts: [at(1)] }), 'column', 'the rest is too large');
  const slices = slicesOf(cut, limits).map((slice) => [
    ...[slice.rawPtr, slice.rawLength, slice.elementsPtr, slice.elementsLength],
    ...[slice.counts.series, slice.counts.samples, slice.labels],
  ]);
  assert.deepEqual(slices, [
    [16, 40_000, 8, 4_000, 80, 800, 640],
    [40_016, 40_000, 4_008, 4_000, 80, 800, 640],
    [80_016, 20_000, 8_008, 2_000, 40, 400, 320],
  ]);
  assert.deepEqual(
    slicesOf({ ...cut, elementsLength: 0 }, limits).map(({ elementsLength }) => elementsLength),
    [0, 0, 0],
  );
  const small = { ...cut, counts: { ...noCounts, series: 100, samples: 1_000 } };
  assert.equal(slicesOf(small, limits).length, 1, 'what fits is not cut');
});
