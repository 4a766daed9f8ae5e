/** What the kernels found in a WriteRequest against what protobufjs decoded. */
import assert from 'node:assert/strict';
import type { Columns } from '../../../src/kernel/columns.ts';
import type { Kernel, WriteRequestFound } from '../../../src/kernel/kernel.ts';
import { bigintOf, type ExactRequest, type ExactSeries, ExactTimeSeries } from './reference.ts';

export function assertSame(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  assert.equal(Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'), what);
}

export function compareCounts(found: WriteRequestFound, { timeseries, metadata }: ExactRequest): void {
  const sum = (count: (series: ExactSeries) => number) =>
    timeseries.reduce((total, series) => total + count(series), 0);
  const hasData = (series: ExactSeries) =>
    series.samples.length + series.histograms.length + series.exemplars.length > 0;
  assert.deepEqual(found, {
    counts: {
      series: timeseries.length,
      samples: sum(({ samples }) => samples.length),
      histograms: sum(({ histograms }) => histograms.length),
      exemplars: sum(({ exemplars }) => exemplars.length),
      metadata: metadata.length,
    },
    labels: sum(({ labels }) => labels.length),
    seriesWithSamples: timeseries.filter(({ samples }) => samples.length > 0).length,
    everySeriesHasData: timeseries.every(hasData),
  });
}

export function compareSeries(kernel: Kernel, columns: Columns, index: number, expected: ExactSeries): void {
  const row = columns.row(index);
  const memory = kernel.memory.bytes();
  const slice = (ptr: number, length: number) => memory.slice(ptr, ptr + length);
  const { labels, samples, histograms, exemplars } = expected;
  // Encoded by protobufjs the labels are canonical; so must those of the row be, byte for byte.
  assertSame(
    slice(row.labelsPtr, row.labelsLength),
    ExactTimeSeries.encode({ labels }).finish(),
    `labels of series ${index}`,
  );
  assertSame(
    ExactTimeSeries.encode(ExactTimeSeries.decode(slice(row.restPtr, row.restLength))).finish(),
    ExactTimeSeries.encode({ exemplars, histograms }).finish(),
    `rest of series ${index}`,
  );
  assert.equal(row.labelCount, labels.length);
  assert.equal(row.sampleCount, samples.length);
  assert.equal(row.histograms, histograms.length);
  assert.equal(row.exemplars, exemplars.length);
  for (const [nth, sample] of samples.entries()) {
    assert.equal(columns.valueBits(row.sampleStart + nth), bigintOf(sample.value));
    assert.equal(columns.timestampMs(row.sampleStart + nth), BigInt.asIntN(64, bigintOf(sample.timestamp)));
  }
  assert.equal(columns.slot(index), Number(kernel.xxh64(row.labelsPtr, row.labelsLength) & 31n));
}
