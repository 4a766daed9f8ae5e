/** Requests of OpenTelemetry by protobufjs and the published schema, and what a plain reading of them gives. */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const root = protobuf.loadSync(fileURLToPath(new URL('../../proto/opentelemetry.proto', import.meta.url)));
const type = (name: string) => root.lookupType(`opentelemetry.${name}`);

type Message = Readonly<Record<string, unknown>>;

export function encode(message: object, name = 'ExportMetricsServiceRequest'): Uint8Array {
  return type(name).encode(type(name).fromObject(message)).finish();
}

export function decode(bytes: Uint8Array, name: string): Message {
  return type(name).toObject(type(name).decode(bytes), { longs: String });
}

/** One scope of one resource with these metrics. */
export const requestOf = (...metrics: readonly object[]) => ({
  resourceMetrics: [{ scopeMetrics: [{ metrics }] }],
});

const MS = 1_000_000n;
export const TIME_MS = 1_700_000_000_123;
export const TIME_NS = String(BigInt(TIME_MS) * MS + 999_999n);

// The plain reading.

interface Any {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: Any[] };
  kvlistValue?: { values?: Pair[] };
  bytesValue?: string;
}
interface Pair {
  key?: string;
  value?: Any;
}
interface ExemplarMessage {
  timeUnixNano?: string;
  asDouble?: number;
  asInt?: string;
  traceId?: string;
  spanId?: string;
  filteredAttributes?: Pair[];
}
interface Point {
  attributes?: Pair[];
  exemplars?: ExemplarMessage[];
  timeUnixNano?: string;
  asDouble?: number;
  asInt?: string;
  flags?: number;
  count?: string;
  sum?: number;
  bucketCounts?: string[];
  explicitBounds?: number[];
  quantileValues?: { quantile?: number; value?: number }[];
}
interface Data {
  dataPoints?: Point[];
}
interface MetricMessage {
  name?: string;
  gauge?: Data;
  sum?: Data;
  histogram?: Data;
  summary?: Data;
}

export interface ExpectedExemplar {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly timestamp: number;
}

export interface ExpectedRow {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number | 'stale';
  readonly timestamp: number;
  readonly exemplars: readonly ExpectedExemplar[];
}

/** Texts of doubles that need no exponent, which is all that the arbitraries make. */
function plain({
  stringValue,
  boolValue,
  intValue,
  doubleValue,
  bytesValue,
  arrayValue,
  kvlistValue,
}: Any): unknown {
  if (stringValue !== undefined) return stringValue;
  if (boolValue !== undefined) return boolValue;
  if (intValue !== undefined) return Number(intValue);
  if (doubleValue !== undefined) return doubleValue;
  if (bytesValue !== undefined) return bytesValue;
  if (arrayValue !== undefined) return (arrayValue.values ?? []).map(plain);
  if (kvlistValue === undefined) return null;
  return Object.fromEntries(
    (kvlistValue.values ?? []).map(({ key, value }) => [key ?? '', plain(value ?? {})]),
  );
}

function labelsOf(pairs: readonly Pair[] = [], prefix = ''): [string, string][] {
  return pairs.flatMap(({ key = '', value = {} }): [string, string][] => {
    if (key === '') return [];
    const name = prefix + key;
    if (value.kvlistValue !== undefined) return labelsOf(value.kvlistValue.values, `${name}.`);
    const one = plain(value);
    if (one === null) return [];
    return [[name, Array.isArray(one) ? JSON.stringify(one) : String(one)]];
  });
}

const millisecondsOf = (nanoseconds: string | undefined) => Number(BigInt(nanoseconds ?? 0) / MS);
const numberOf = ({ asDouble, asInt }: ExemplarMessage) => asDouble ?? Number(asInt);

/** Ids, and attributes unless names and values have more than 128 characters together. */
function exemplarOf(message: ExemplarMessage): ExpectedExemplar {
  const ids = [
    ['trace_id', message.traceId ?? ''] as const,
    ['span_id', message.spanId ?? ''] as const,
  ].flatMap(([name, id]): [string, string][] => {
    const hex = Buffer.from(id, 'base64').toString('hex');
    return /^0*$/.test(hex) ? [] : [[name, hex]];
  });
  const all = [...ids, ...labelsOf(message.filteredAttributes)];
  const isShort = [...all.flat().join('')].length <= 128;
  return {
    labels: isShort ? all : ids,
    value: numberOf(message),
    timestamp: millisecondsOf(message.timeUnixNano),
  };
}

function rowsOfPoint(
  name: string,
  kind: keyof MetricMessage,
  point: Point,
  common: [string, string][],
): ExpectedRow[] {
  const timestamp = millisecondsOf(point.timeUnixNano);
  const exemplars = (point.exemplars ?? []).filter(
    ({ asDouble, asInt }) => asDouble !== undefined || asInt !== undefined,
  );
  const isStale = ((point.flags ?? 0) & 1) !== 0;
  const labels = [...common, ...labelsOf(point.attributes)];
  const row = (suffix: string, value: number, ...more: [string, string][]): ExpectedRow => ({
    labels: [['__name__', name + suffix], ...labels, ...more],
    value: isStale ? 'stale' : value,
    timestamp,
    exemplars: [],
  });
  if (kind === 'gauge' || kind === 'sum') {
    const value = point.asDouble ?? Number(point.asInt ?? 0);
    return [{ ...row('', value), exemplars: exemplars.map(exemplarOf) }];
  }
  const sums = point.sum === undefined && kind === 'histogram' ? [] : [row('_sum', point.sum ?? 0)];
  const totals = [row('_count', Number(point.count ?? 0)), ...sums];
  if (kind === 'summary') {
    const quantiles = (point.quantileValues ?? []).map(({ quantile = 0, value = 0 }) =>
      row('', value, ['quantile', String(quantile)]),
    );
    return [...totals, ...quantiles];
  }
  const { bucketCounts = [], explicitBounds = [] } = point;
  let sum = 0n;
  const rows = bucketCounts.map((count, index) => {
    sum += BigInt(count);
    const bound = index < explicitBounds.length ? String(explicitBounds[index]) : '+Inf';
    return row('_bucket', Number(sum), ['le', bound]);
  });
  if (bucketCounts.length === 0) rows.push(row('_bucket', Number(point.count ?? 0), ['le', '+Inf']));
  const filled = rows.map((one, nth) => {
    const isOwn = (message: ExemplarMessage) => {
      const first = explicitBounds.findIndex((bound) => numberOf(message) <= bound);
      return nth === (first < 0 ? rows.length - 1 : first);
    };
    return { ...one, exemplars: exemplars.filter(isOwn).map(exemplarOf) };
  });
  return [...totals, ...filled];
}

/** The rows of a request without histograms that are exponential, with all flags at their defaults. */
export function plainRows(bytes: Uint8Array): ExpectedRow[] {
  const request = type('ExportMetricsServiceRequest');
  const options = { longs: String, bytes: String };
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the schema.
  const { resourceMetrics = [] } = request.toObject(request.decode(bytes), options) as any;
  const rows: ExpectedRow[] = [];
  for (const { resource, scopeMetrics = [] } of resourceMetrics) {
    for (const { scope, metrics = [] } of scopeMetrics) {
      const common = labelsOf(resource?.attributes);
      if (scope !== undefined) {
        common.push(['scope.name', scope.name ?? 'unknown'], ['scope.version', scope.version ?? 'unknown']);
        common.push(...labelsOf(scope.attributes, 'scope.attributes.'));
      }
      for (const metric of metrics as MetricMessage[]) {
        for (const kind of ['gauge', 'sum', 'histogram', 'summary'] as const) {
          for (const point of metric[kind]?.dataPoints ?? []) {
            rows.push(...rowsOfPoint(metric.name ?? '', kind, point, common));
          }
        }
      }
    }
  }
  return rows;
}
