/** Remote write 2.0 by protobufjs, and what a Request means as a WriteRequest: slow, short, nothing but clear. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { bigintOf, type ExactSeries, type Long64 } from './reference.ts';

const proto = readFileSync(new URL('../../../proto/remote2.proto', import.meta.url), 'utf8');
// As in `reference.ts`: the payload of a NaN and strings that are not UTF-8 stay.
const exact = proto.replace(/\bdouble\b/g, 'fixed64').replace(/\bstring\b/g, 'bytes');
const root = protobuf.parse(exact, { keepCase: true }).root;
root.resolveAll();
export const ExactRequest2 = root.lookupType('io.prometheus.write.v2.Request');
export const ExactHistogram2 = root.lookupType('io.prometheus.write.v2.Histogram');

interface Exemplar2 {
  readonly labels_refs: readonly number[];
  readonly value: Long64;
  readonly timestamp: Long64;
}

export interface Series2 {
  readonly labels_refs: readonly number[];
  readonly samples: readonly { value: Long64; timestamp: Long64; start_timestamp: Long64 }[];
  readonly histograms: readonly Histogram2[];
  readonly exemplars: readonly Exemplar2[];
  readonly metadata?: { type: number; help_ref: number; unit_ref: number } | null;
  readonly created_timestamp: Long64;
}

interface Histogram2 {
  readonly count_int?: Long64 | null;
  readonly count_float?: Long64 | null;
  readonly sum: Long64;
  readonly zero_count_int?: Long64 | null;
  readonly zero_count_float?: Long64 | null;
  readonly negative_spans: readonly { length: number }[];
  readonly negative_deltas: readonly Long64[];
  readonly negative_counts: readonly Long64[];
  readonly positive_spans: readonly { length: number }[];
  readonly positive_deltas: readonly Long64[];
  readonly positive_counts: readonly Long64[];
}

export interface Request2 {
  readonly symbols: readonly Uint8Array[];
  readonly timeseries: readonly Series2[];
}

export function decodeRequest2(bytes: Uint8Array): Request2 | undefined {
  try {
    return ExactRequest2.decode(bytes) as unknown as Request2;
  } catch {
    return undefined;
  }
}

export interface ModelLabel {
  readonly name: Buffer;
  readonly value: Buffer;
}

export interface Expectation {
  /** Series with something in them that are whole. */
  readonly timeseries: readonly (Pick<ExactSeries, 'samples'> & {
    labels: readonly ModelLabel[];
    histograms: readonly unknown[];
    exemplars: readonly { labels: readonly ModelLabel[]; value: Long64; timestamp: Long64 }[];
  })[];
  /** Entries by their text, each once. */
  readonly metadata: ReadonlySet<string>;
  readonly rejected: number;
}

const f64 = new DataView(new ArrayBuffer(8));
function numberOf({ low, high }: Long64): number {
  f64.setUint32(0, high >>> 0);
  f64.setUint32(4, low >>> 0);
  return f64.getFloat64(0);
}

function isSound(histogram: Histogram2): boolean {
  // protobufjs has defaults for what is not there.
  const own = (field: keyof Histogram2) =>
    (Object.hasOwn(histogram, field) ? histogram[field] : undefined) as Long64 | undefined;
  const isFloat = own('count_float') !== undefined;
  const zeroCount = own('zero_count_int');
  let total = zeroCount === undefined ? 0n : bigintOf(zeroCount);
  const sides = [
    [histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts],
    [histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts],
  ] as const;
  for (const [spans, deltas, counts] of sides) {
    const named = spans.reduce((sum, { length }) => sum + length, 0);
    if (named !== (isFloat ? counts : deltas).length) return false;
    if (isFloat) {
      if (counts.some((count) => !(numberOf(count) >= 0))) return false;
      continue;
    }
    let running = 0n;
    for (const delta of deltas) {
      running = BigInt.asIntN(64, running + BigInt.asIntN(64, bigintOf(delta)));
      if (running < 0n) return false;
      total = BigInt.asUintN(64, total + running);
    }
  }
  const zeroFloat = own('zero_count_float');
  if (zeroFloat !== undefined && !(numberOf(zeroFloat) >= 0)) return false;
  if (isFloat) return true;
  const countInt = own('count_int');
  const count = countInt === undefined ? 0n : bigintOf(countInt);
  return total === count || (Number.isNaN(numberOf(histogram.sum)) && total < count);
}

const suffixes: Readonly<Record<number, readonly string[]>> = {
  3: ['_bucket', '_count', '_sum'],
  4: ['_bucket', '_gcount', '_gsum'],
  5: ['_count', '_sum'],
};

/** The start of all samples of a series, in a form to compare; undefined if they do not agree or do not know. */
function startOf({ samples, created_timestamp: created }: Series2): Long64 | undefined {
  const all = samples.map(({ start_timestamp: own }) => (isZero(own) ? created : own));
  const [first] = all;
  if (first === undefined || isZero(first)) return undefined;
  return all.every((one) => bigintOf(one) === bigintOf(first)) ? first : undefined;
}

const isZero = (one: Long64) => bigintOf(one) === 0n;

/** What `assembly/expand.ts` has to make of a request. @param keepsStarts what it was told. */
export function expectationOf({ symbols, timeseries }: Request2, keepsStarts = false): Expectation {
  const texts = symbols.map((symbol) => Buffer.from(symbol));
  const labelsOf = (refs: readonly number[]): ModelLabel[] | undefined => {
    if (refs.length % 2 === 1 || refs.some((ref) => texts[ref] === undefined)) return undefined;
    return Array.from({ length: refs.length / 2 }, (_, index) => ({
      name: texts[refs[2 * index]!]!,
      value: texts[refs[2 * index + 1]!]!,
    }));
  };
  const metadata = new Set<string>();
  let rejected = 0;
  const kept = timeseries.flatMap((series) => {
    const labels = labelsOf(series.labels_refs)?.toSorted((a, b) => Buffer.compare(a.name, b.name));
    const name = labels?.find((label) => label.name.equals(Buffer.from('__name__')));
    const exemplars = series.exemplars.map((exemplar) => ({
      labels: labelsOf(exemplar.labels_refs)?.filter(({ value }) => value.length > 0),
      value: exemplar.value,
      timestamp: exemplar.timestamp,
    }));
    const help = texts[series.metadata?.help_ref ?? 0];
    const unit = texts[series.metadata?.unit_ref ?? 0];
    const areGood =
      labels?.every(
        ({ name: own }, index) => own.length > 0 && !own.equals(labels[index - 1]?.name ?? Buffer.of()),
      ) ?? false;
    const isGood =
      areGood &&
      (series.samples.length === 0 || series.histograms.length === 0) &&
      series.histograms.every(isSound) &&
      exemplars.every((exemplar) => exemplar.labels !== undefined);
    if (!isGood || !labels || !name?.value.length || !help || !unit) {
      rejected++;
      return [];
    }
    const type = series.metadata?.type ?? 0;
    if (type !== 0 || help.length > 0 || unit.length > 0) {
      const full = name.value.toString('latin1');
      const suffix = suffixes[type]?.find((end) => full.endsWith(end) && full.length > end.length) ?? '';
      metadata.add(
        JSON.stringify([
          full.slice(0, full.length - suffix.length),
          type,
          help.toString('latin1'),
          unit.toString('latin1'),
        ]),
      );
    }
    if (series.samples.length + series.histograms.length + exemplars.length === 0) return [];
    const start = keepsStarts ? startOf(series) : undefined;
    return [
      {
        labels: labels.filter(({ value }) => value.length > 0),
        samples: series.samples.map(({ value, timestamp }) => ({ value, timestamp })),
        histograms: series.histograms,
        exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: exemplar.labels! })),
        ...(start !== undefined && { start_timestamp: start }),
      },
    ];
  });
  return { timeseries: kept, metadata, rejected };
}
