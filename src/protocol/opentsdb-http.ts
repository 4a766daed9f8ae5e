/**
 * `/api/put` of OpenTSDB: an object, or an array of them:
 *
 *     {"metric":"sys.cpu","timestamp":1700000000,"value":1.5,"tags":{"host":"a"}}
 *
 * A timestamp that fits into 32 bits is in seconds, any other in milliseconds. Numbers may be written as texts. An object
 * that makes no sense is left out and counted; the others are taken. It has addresses of its own.
 * http://opentsdb.net/docs/build/html/api_http/put.html
 */
import { options, type Values } from '../config/option.ts';
import { receiveBody } from './content-encoding.ts';
import { JsonObject, type JsonValue, NO_JSON, numberOf, parseJson } from './json-value.ts';
import { isTimestamp } from './number.ts';
import type { ParseFailure, ParseRequest, Protocol } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const SECOND_MS = 1_000;
const SECONDS_LIMIT = 2 ** 32;
const EXAMPLE_LENGTH = 120;

const opentsdbHttpOptions = options({
  opentsdbHTTPListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    summary:
      'Take `/api/put` of OpenTSDB at this address. Empty takes none. -opentsdbListenAddr takes it too, beside lines.',
  },
  'opentsdbhttp.maxInsertRequestSize': {
    kind: 'bytes',
    default: 32 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary: 'The largest body of /api/put, before and after decompression. Larger ones get 413.',
  },
  opentsdbhttpTrimTimestamp: {
    kind: 'duration',
    default: 1,
    min: 1,
    summary: 'Round timestamps of /api/put down to a multiple of this.',
  },
});
type OpentsdbHttpOptions = Values<typeof opentsdbHttpOptions>;

/** A sample, or why there is none. */
type Put =
  | {
      readonly metric: string;
      readonly tags: readonly (readonly [string, string])[];
      readonly value: number;
      readonly timestampMs: number;
    }
  | string;

function putOf(item: JsonValue, nowMs: number): Put {
  if (!(item instanceof JsonObject)) return 'it is not an object';
  const metric = item.get('metric');
  if (typeof metric !== 'string' || metric === '') return 'there is no "metric"';
  const value = numberOf(item.get('value'));
  if (value === undefined) return '"value" is not a number';
  const given = item.get('timestamp');
  const timestamp = given === undefined ? 0 : numberOf(given);
  if (timestamp === undefined || !isTimestamp(timestamp)) return '"timestamp" is not a number';
  const tags = tagsOf(item.get('tags'));
  if (tags === undefined) return '"tags" is not an object of texts';
  return { metric, tags, value, timestampMs: millisecondsOf(Math.trunc(timestamp), nowMs) };
}

function tagsOf(tags: JsonValue | undefined): readonly (readonly [string, string])[] | undefined {
  if (tags === undefined) return [];
  if (!(tags instanceof JsonObject)) return undefined;
  const isText = (member: readonly [string, JsonValue]): member is readonly [string, string] => {
    return typeof member[1] === 'string';
  };
  if (!tags.members.every(isText)) return undefined;
  return tags.members.filter(isText).filter(([name, value]) => name !== '' && value !== '');
}

function millisecondsOf(timestamp: number, nowMs: number): number {
  if (timestamp === 0) return nowMs - (nowMs % SECOND_MS);
  return timestamp > 0 && timestamp < SECONDS_LIMIT ? timestamp * SECOND_MS : timestamp;
}

function parse(
  bytes: Uint8Array,
  request: ParseRequest<OpentsdbHttpOptions>,
  sink: SeriesSink,
): ParseFailure {
  const root = parseJson(bytes);
  if (root === undefined) return `cannot parse the body: ${NO_JSON}`;
  const trimMs = request.options.opentsdbhttpTrimTimestamp;
  const items = Array.isArray(root) ? (root as readonly JsonValue[]) : [root];
  for (const [index, item] of items.entries()) {
    const put = putOf(item, request.receivedMs);
    if (typeof put === 'string') {
      const shown = Buffer.from(JSON.stringify(item).slice(0, EXAMPLE_LENGTH));
      sink.skip(index + 1, put, shown, 0, shown.byteLength);
      continue;
    }
    sink.begin();
    sink.text('__name__', put.metric);
    for (const [name, value] of put.tags) sink.text(name, value);
    sink.sample(put.value, put.timestampMs - (put.timestampMs % trimMs));
    sink.end();
  }
  return undefined;
}

export const opentsdbHttp: Protocol = {
  name: 'opentsdbhttp',
  summary: '/api/put of OpenTSDB, at addresses of its own.',
  routes: [{ path: '/api/put', counterPath: '/api/put' }],
  httpAddressOption: 'opentsdbHTTPListenAddr',
  options: opentsdbHttpOptions,
  sizeOption: 'opentsdbhttp.maxInsertRequestSize',
  accepted: { status: 204 },
  receive: (head) => receiveBody(head),
  parse,
};
