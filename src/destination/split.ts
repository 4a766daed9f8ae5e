/**
 * Halves of a block, for destinations that refuse it as a whole: because it is too large, or for one bad series in it.
 * Off the hot path; bytes are moved as they are, so values keep their bits.
 */
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import snappy from 'snappyjs';
import type { Codec } from '../model/block.ts';
import { type Counts, noCounts } from '../model/body.ts';
import { encodeVarint } from '../util/varint.ts';
import type { WireBlock } from './destination.ts';
import { DELIMITED, eachField, type Visit } from './fields.ts';
import { decodeBlock } from './recode.ts';

const compressZstd = promisify(zstdCompress);
/** Of a WriteRequest, a TimeSeries, a Label, a MetricMetadata: https://prometheus.io/docs/specs/prw/remote_write_spec/ */
const TIMESERIES = 1;
const METADATA = 3;
const LABEL = 1;
const SAMPLE = 2;
const EXEMPLAR = 3;
const HISTOGRAM = 4;
const LABEL_NAME = 1;
const LABEL_VALUE = 2;
const FAMILY = 2;
const UNKNOWN = 0;
const SHOWN_SERIES_LENGTH_MAX = 1_000;

/** A message whose items can be cut apart; the parts are compressed only when they are sent. */
export interface Message {
  readonly raw: Uint8Array;
  readonly counts: Readonly<Counts>;
}

/** Everything that is known here is a message or a string; a field of another wire type is unknown, whatever its number. */
function eachPart(bytes: Uint8Array, start: number, end: number, visit: Visit): void {
  eachField(bytes, start, end, (number, from, to, at, wire) =>
    visit(wire === DELIMITED ? number : UNKNOWN, from, to, at, wire),
  );
}

/** The message in a block. Throws a SluiceError `undecodable`. */
export async function messageOf(block: WireBlock): Promise<Message> {
  const raw = await decodeBlock(block);
  return { raw, counts: countsOf(raw) };
}

export async function blockOf({ raw }: Message, codec: Codec): Promise<WireBlock> {
  const bytes = codec === 'snappy' ? snappy.compress(raw) : await compressZstd(raw);
  return { codec, bytes, rawLength: raw.byteLength };
}

/**
 * The first and the second half of a message's items, in their order; a single series is cut between its samples.
 * Undefined when there is nothing to cut. Throws a SluiceError `undecodable`.
 */
export function halve({ raw }: Message): readonly [Message, Message] | undefined {
  let items = 0;
  eachPart(raw, 0, raw.byteLength, () => items++);
  if (items < 2) return items === 0 ? undefined : halveOnly(raw);
  let nth = 0;
  let middle = 0;
  eachPart(raw, 0, raw.byteLength, (_number, _from, _to, start) => {
    middle = start;
    return nth++ < items >> 1;
  });
  return [messageFrom(raw.subarray(0, middle)), messageFrom(raw.subarray(middle))];
}

/** Halves of a message with one item. */
function halveOnly(raw: Uint8Array): readonly [Message, Message] | undefined {
  let halves: readonly [Message, Message] | undefined;
  eachPart(raw, 0, raw.byteLength, (number, from, to) => {
    if (number === TIMESERIES) halves = halveSeries(raw.subarray(from, to));
  });
  return halves;
}

/** The labels go to both halves, the exemplars to the second one. */
function halveSeries(series: Uint8Array): readonly [Message, Message] | undefined {
  let points = 0;
  eachPart(series, 0, series.byteLength, (number) => {
    if (isPoint(number)) points++;
  });
  if (points < 2) return undefined;
  const middle = points >> 1;
  const first = pick(series, (number, nth) => (isPoint(number) ? nth < middle : number !== EXEMPLAR));
  const rest = pick(series, (number, nth) => !isPoint(number) || nth >= middle);
  return [messageFrom(seriesFrom(first)), messageFrom(seriesFrom(rest))];
}

const isPoint = (number: number) => number === SAMPLE || number === HISTOGRAM;

/** The fields of a series that `keeps` wants; `point` counts the points before one. */
function pick(series: Uint8Array, keeps: (number: number, point: number) => boolean): Uint8Array {
  // Fields only ever go: what stays fits.
  const out = Buffer.alloc(series.byteLength);
  let end = 0;
  let point = 0;
  eachPart(series, 0, series.byteLength, (number, _from, to, start) => {
    if (keeps(number, point)) {
      out.set(series.subarray(start, to), end);
      end += to - start;
    }
    if (isPoint(number)) point++;
  });
  return out.subarray(0, end);
}

function seriesFrom(content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of((TIMESERIES << 3) | 2), encodeVarint(content.byteLength), content]);
}

function messageFrom(raw: Uint8Array): Message {
  return { raw, counts: countsOf(raw) };
}

function countsOf(raw: Uint8Array): Counts {
  const counts = { ...noCounts };
  const countSeries = (number: number) => {
    if (number === SAMPLE) counts.samples++;
    if (number === EXEMPLAR) counts.exemplars++;
    if (number === HISTOGRAM) counts.histograms++;
  };
  eachPart(raw, 0, raw.byteLength, (number, from, to) => {
    if (number === METADATA) counts.metadata++;
    if (number !== TIMESERIES) return;
    counts.series++;
    eachPart(raw, from, to, countSeries);
  });
  return counts;
}

/** The first series of a message as people write it, `up{job="x"}`, for logs and dead letters. Never throws. */
export function describeFirst({ raw }: Message): string {
  let shown = 'nothing';
  try {
    eachPart(raw, 0, raw.byteLength, (number, from, to) => {
      if (number === METADATA) shown = `metadata of ${textOf(raw, from, to, FAMILY)}`;
      else shown = describeSeries(raw, from, number === TIMESERIES ? to : from);
      return false;
    });
  } catch {
    return 'a series that cannot be read';
  }
  return shown;
}

function describeSeries(raw: Uint8Array, from: number, to: number): string {
  let name = '';
  let labels = '';
  eachPart(raw, from, to, (number, labelFrom, labelTo) => {
    if (number !== LABEL) return true;
    const label = textOf(raw, labelFrom, labelTo, LABEL_NAME);
    const value = textOf(raw, labelFrom, labelTo, LABEL_VALUE);
    if (label === '__name__') name ||= value;
    else labels += `${labels && ','}${label}=${JSON.stringify(value)}`;
    return labels.length < SHOWN_SERIES_LENGTH_MAX;
  });
  return `${name}{${labels}}`.slice(0, SHOWN_SERIES_LENGTH_MAX);
}

/** The last field of this number as text, at most as long as is shown. */
function textOf(raw: Uint8Array, start: number, end: number, wanted: number): string {
  let text = '';
  eachPart(raw, start, end, (number, from, to) => {
    if (number !== wanted) return;
    text = Buffer.from(raw.subarray(from, Math.min(to, from + SHOWN_SERIES_LENGTH_MAX))).toString();
  });
  return text;
}
