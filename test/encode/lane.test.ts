import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthVerbatim, type LaneConfig, pickLane } from '../../src/encode/lane.ts';
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
