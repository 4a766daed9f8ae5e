/**
 * Halves of a block, for destinations that refuse it as a whole: because it is too large, or for one bad series in it.
 * Off the hot path; bytes are moved as they are, so values keep their bits.
 */
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import snappy from 'snappyjs';
import type { Codec } from '../model/block.ts';
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import { SluiceError } from '../util/error.ts';
import { encodeVarint } from '../util/varint.ts';
import type { WireBlock } from './destination.ts';
import { decodeBlock } from './recode.ts';

const compressZstd = promisify(zstdCompress);
/** Of a WriteRequest, and of a TimeSeries: https://prometheus.io/docs/specs/prw/remote_write_spec/ */
const TIMESERIES = 1;
const METADATA = 3;
const SAMPLE = 2;
const EXEMPLAR = 3;
const HISTOGRAM = 4;
const SHOWN_SERIES_LENGTH_MAX = 1_000;

/** A message whose items can be cut apart; the parts are compressed only when they are sent. */
export interface Message {
  readonly raw: Uint8Array;
  readonly counts: Readonly<Counts>;
}

interface Field {
  readonly number: number;
  /** With its tag and length. */
  readonly whole: Uint8Array;
  /** Of a length-delimited field; empty for others. */
  readonly content: Uint8Array;
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
  const fields = fieldsOf(raw);
  if (fields.length > 1) {
    const middle = fields.length >> 1;
    return [messageFrom(fields.slice(0, middle)), messageFrom(fields.slice(middle))];
  }
  const [only] = fields;
  return only?.number === TIMESERIES ? halveSeries(only.content) : undefined;
}

function halveSeries(series: Uint8Array): readonly [Message, Message] | undefined {
  const fields = fieldsOf(series);
  const isPoint = ({ number }: Field) => number === SAMPLE || number === HISTOGRAM;
  const points = fields.filter(isPoint);
  if (points.length < 2) return undefined;
  const second = new Set(points.slice(points.length >> 1));
  const first = fields.filter((field) => field.number !== EXEMPLAR && !second.has(field));
  const rest = fields.filter((field) => !isPoint(field) || second.has(field));
  return [messageFrom([seriesFrom(first)]), messageFrom([seriesFrom(rest)])];
}

function seriesFrom(fields: readonly Field[]): Field {
  const content = Buffer.concat(fields.map(({ whole }) => whole));
  const whole = Buffer.concat([
    Uint8Array.of((TIMESERIES << 3) | 2),
    encodeVarint(content.byteLength),
    content,
  ]);
  return { number: TIMESERIES, whole, content };
}

function messageFrom(fields: readonly Field[]): Message {
  const raw = Buffer.concat(fields.map(({ whole }) => whole));
  return { raw, counts: countsOf(raw) };
}

function countsOf(raw: Uint8Array): Counts {
  const counts = { ...noCounts };
  for (const { number, content } of fieldsOf(raw)) {
    if (number === METADATA) counts.metadata++;
    if (number === TIMESERIES) addCounts(counts, countsOfSeries(content));
  }
  return counts;
}

function countsOfSeries(series: Uint8Array): Counts {
  const counts = { ...noCounts, series: 1 };
  for (const { number } of fieldsOf(series)) {
    if (number === SAMPLE) counts.samples++;
    if (number === EXEMPLAR) counts.exemplars++;
    if (number === HISTOGRAM) counts.histograms++;
  }
  return counts;
}

/** The first series of a message as people write it, `up{job="x"}`, for logs and dead letters. */
export function describeFirst({ raw }: Message): string {
  const [first] = fieldsOf(raw);
  if (first === undefined) return 'nothing';
  if (first.number === METADATA) {
    const name = fieldsOf(first.content).find(({ number }) => number === 2);
    return `metadata of ${text(name?.content)}`;
  }
  const labels = fieldsOf(first.content)
    .filter(({ number }) => number === 1)
    .map(({ content }) => {
      const parts = fieldsOf(content);
      const part = (wanted: number) => text(parts.findLast(({ number }) => number === wanted)?.content);
      return [part(1), part(2)] as const;
    });
  const name = labels.find(([label]) => label === '__name__')?.[1] ?? '';
  const rest = labels.filter(([label]) => label !== '__name__');
  const shown = `${name}{${rest.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`;
  return shown.slice(0, SHOWN_SERIES_LENGTH_MAX);
}

function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString();
}

/** The fields of a message one after another. Throws a SluiceError `undecodable` when they do not fill it exactly. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1, count = 0; count < 10; shift *= 128, count++) {
      const byte = bytes[at++];
      if (byte === undefined) throw undecodable(at);
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
    throw undecodable(at);
  };
  while (at < bytes.byteLength) {
    const start = at;
    const tag = varint();
    const wire = tag % 8;
    let content = bytes.subarray(0, 0);
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      content = bytes.subarray(at, at + length);
      at += length;
    } else throw undecodable(start);
    if (at > bytes.byteLength) throw undecodable(start);
    fields.push({ number: Math.floor(tag / 8), whole: bytes.subarray(start, at), content });
  }
  return fields;
}

function undecodable(at: number): SluiceError {
  return new SluiceError('undecodable', `cannot read a block's message at byte ${at}: it is no protobuf`);
}
