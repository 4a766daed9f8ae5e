/**
 * Distributions of DataDog's agent, always as a protobuf message:
 *
 *     SketchPayload 1 sketches: Sketch
 *     Sketch        1 metric, 2 host, 4 tags, 7 dogsketches: Dogsketch
 *     Dogsketch     1 ts: int64 s, 2 cnt: int64, 3 min, 4 max, 6 sum: double, 7 k: sint32, 8 n: uint32
 *
 * A sketch counts values in bins: bin k has those from γ^(k-bias) to γ^(k+1-bias), with n of them. Every sketch becomes five
 * quantiles, and its sum, count, minimum and maximum. https://github.com/DataDog/sketches-go
 */
import protobuf, { type Reader } from 'protobufjs/minimal.js';
import { options } from '../config/option.ts';
import { messageOf } from '../util/error.ts';
import { receiveBody } from './content-encoding.ts';
import { type DatadogOptions, routesOf, SIZE_OPTION, sanitized, writeTag } from './datadog.ts';
import { readFields, readMessage, readNumbers } from './protobuf-fields.ts';
import type { ParseFailure, ParseRequest, Protocol } from './protocol.ts';
import { type SeriesSink, SinkFull } from './series-sink.ts';

const SECOND_MS = 1_000;
const QUANTILES = [0.5, 0.75, 0.9, 0.95, 0.99];
/** DataDog's own: the bins are 1/64 wide, and begin at 1e-9. */
const GAMMA = 1 + 2 / 128;
const BIAS = 1 - Math.floor(Math.log(1e-9) / Math.log1p(2 / 128));
/** What vmagent counts as read for each sketch. */
const ROWS_PER_SKETCH = 7;

export interface Dogsketch {
  timestampS: number;
  count: number;
  min: number;
  max: number;
  sum: number;
  readonly keys: number[];
  readonly counts: number[];
}

interface Sketch {
  metric: string;
  host: string;
  readonly tags: string[];
  readonly points: Dogsketch[];
}

/** The value at the quantile `q` between 0 and 1: linear within a bin. */
export function quantileOf({ count, min, max, keys, counts }: Dogsketch, q: number): number {
  if (count === 0 || keys.length !== counts.length) return 0;
  const rank = roundEven(q * (count - 1));
  let seen = 0;
  for (let index = 0; index < keys.length; index++) {
    const inBin = counts[index]!;
    seen += inBin;
    if (seen <= rank) continue;
    const weight = (seen - rank) / inBin;
    const low = valueOfKey(keys[index]!);
    const high = low * GAMMA;
    return (index === 0 ? min : low) * weight + high * (1 - weight);
  }
  return max;
}

function valueOfKey(key: number): number {
  if (key === 0) return 0;
  const value = powerOfGamma(Math.abs(key) - BIAS);
  return key < 0 ? -value : value;
}

/** By squaring, as Go does it: the engine's own power differs in the last bits. */
function powerOfGamma(power: number): number {
  let result = 1;
  let square = GAMMA;
  for (let rest = Math.abs(power); rest > 0; rest >>= 1) {
    if ((rest & 1) === 1) result *= square;
    square *= square;
  }
  return power < 0 ? 1 / result : result;
}

/** Halves go to the even neighbour. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function readSketch(reader: Reader): Sketch {
  const sketch: Sketch = { metric: '', host: '', tags: [], points: [] };
  readMessage(reader, (field) => {
    if (field === 1) sketch.metric = reader.string();
    else if (field === 2) sketch.host = reader.string();
    else if (field === 4) sketch.tags.push(reader.string());
    else if (field === 7) sketch.points.push(readPoint(reader));
    else return false;
    return true;
  });
  return sketch;
}

function readPoint(reader: Reader): Dogsketch {
  const point: Dogsketch = { timestampS: 0, count: 0, min: 0, max: 0, sum: 0, keys: [], counts: [] };
  readMessage(reader, (field, wireType) => {
    if (field === 1) point.timestampS = Number(reader.int64());
    else if (field === 2) point.count = Number(reader.int64());
    else if (field === 3) point.min = reader.double();
    else if (field === 4) point.max = reader.double();
    else if (field === 6) point.sum = reader.double();
    else if (field === 7) readNumbers(reader, wireType, point.keys, () => reader.sint32());
    else if (field === 8) readNumbers(reader, wireType, point.counts, () => reader.uint32());
    else return false;
    return true;
  });
  return point;
}

function writeSketch({ metric, host, tags, points }: Sketch, sink: SeriesSink): void {
  if (points.length === 0) return;
  const write = (name: string, quantile: string, numberOf: (point: Dogsketch) => number) => {
    sink.begin();
    sink.text('__name__', name);
    sink.text('host', host);
    if (quantile !== '') sink.text('quantile', quantile);
    for (const tag of tags) writeTag(tag, 'host', sink);
    for (const point of points) sink.sample(numberOf(point), point.timestampS * SECOND_MS);
    sink.end();
  };
  for (const q of QUANTILES) write(metric, String(q), (point) => quantileOf(point, q));
  write(`${metric}.sum`, '', ({ sum }) => sum);
  write(`${metric}.count`, '', ({ count }) => count);
  write(`${metric}.min`, '', ({ min }) => min);
  write(`${metric}.max`, '', ({ max }) => max);
}

function parse(bytes: Uint8Array, request: ParseRequest<DatadogOptions>, sink: SeriesSink): ParseFailure {
  const isSanitized = request.options['datadog.sanitizeMetricName'];
  const reader = protobuf.Reader.create(bytes);
  let points = 0;
  try {
    readFields(reader, bytes.byteLength, (field) => {
      if (field !== 1) return false;
      const sketch = readSketch(reader);
      points += sketch.points.length;
      writeSketch(isSanitized ? { ...sketch, metric: sanitized(sketch.metric) } : sketch, sink);
      return true;
    });
  } catch (error) {
    if (error instanceof SinkFull) throw error;
    return `cannot parse the body: ${messageOf(error)}`;
  }
  sink.rowsRead = ROWS_PER_SKETCH * points;
  return undefined;
}

export const datadogSketches: Protocol = {
  name: 'datadogsketches',
  family: 'datadog',
  summary: "Distributions of DataDog's agent.",
  routes: routesOf(['/datadog/api/beta/sketches']),
  options: options({}),
  sizeOption: SIZE_OPTION,
  accepted: { status: 202 },
  receive: (head) => receiveBody(head),
  parse,
};
