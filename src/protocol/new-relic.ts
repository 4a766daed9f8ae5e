/**
 * Events of New Relic's infrastructure agent:
 *
 *     [{"Events":[{"eventType":"SystemSample","timestamp":1700000000,"hostname":"a","cpuPercent":1.5,…}]}]
 *
 * Every number of an event is a series of its name, with all texts of the event as labels. A timestamp that fits into 32
 * bits is in seconds, any other in milliseconds. What is not of this form refuses the request.
 * https://docs.newrelic.com/docs/infrastructure/manage-your-data/data-instrumentation/default-infrastructure-monitoring-data/
 */
import { options } from '../config/option.ts';
import { receiveBody } from './content-encoding.ts';
import { JsonObject, type JsonValue, NO_JSON, parseJson } from './json-value.ts';
import type { Answer, ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const EVENTS_PATH = '/newrelic/infra/v2/metrics/events/bulk';
const INVENTORY_PATH = '/newrelic/inventory/deltas';
const TIMESTAMP = 'timestamp';
const SECOND_MS = 1_000;
const SECONDS_LIMIT = 2 ** 32;

const newRelicOptions = options({
  'newrelic.maxInsertRequestSize': {
    kind: 'bytes',
    default: 64 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary: 'The largest body of New Relic events, before and after decompression. Larger ones get 413.',
  },
});

const json = (status: number, body: string): Answer => ({ status, body, contentType: 'application/json' });
const ACCEPTED = json(202, '{"status":"ok"}');
const INVENTORY = json(202, '{"payload":{"version": 1, "state": {}, "reset": "false"}}');

/** All events of a body, or why there are none. */
function eventsOf(root: JsonValue | undefined): readonly JsonObject[] | string {
  if (root === undefined) return NO_JSON;
  if (!Array.isArray(root)) return 'it is not an array';
  const events: JsonObject[] = [];
  for (const post of root as readonly JsonValue[]) {
    if (!(post instanceof JsonObject)) return 'an item of the array is not an object';
    const own = post.get('Events');
    if (own === undefined) continue;
    if (!Array.isArray(own)) return '"Events" is not an array';
    for (const event of own as readonly JsonValue[]) {
      if (!(event instanceof JsonObject)) return 'an event is not an object';
      events.push(event);
    }
  }
  return events;
}

/** One series for each number of the event; its labels are encoded once. */
function writeEvent({ members }: JsonObject, receivedMs: number, sink: SeriesSink): void {
  const timestampMs = timestampOf(members, receivedMs);
  let from = -1;
  let to = 0;
  let labels = 0;
  for (const [name, value] of members) {
    if (typeof value !== 'number' || name === '' || name === TIMESTAMP) continue;
    sink.begin();
    sink.text('__name__', name);
    const start = sink.position;
    const before = sink.labels;
    if (from < 0) for (const [key, text] of members) writeLabel(key, text, sink);
    else sink.repeat(from, to, labels);
    labels = sink.labels - before;
    from = start;
    to = sink.position;
    sink.sample(value, timestampMs);
    sink.end();
  }
}

function writeLabel(name: string, value: JsonValue, sink: SeriesSink): void {
  if (typeof value === 'string' && name !== '' && value !== '') sink.text(name, value);
}

function timestampOf(members: JsonObject['members'], receivedMs: number): number {
  const given = members.findLast(([name, value]) => name === TIMESTAMP && typeof value === 'number')?.[1] as
    | number
    | undefined;
  if (given === undefined || given === 0 || !Number.isFinite(given))
    return receivedMs - (receivedMs % SECOND_MS);
  return Math.trunc(given < SECONDS_LIMIT ? given * SECOND_MS : given);
}

function receive(head: RequestHead): Reception {
  const { counterPath } = head.route;
  if (counterPath === EVENTS_PATH) return receiveBody(head);
  const answer = counterPath === INVENTORY_PATH ? INVENTORY : ACCEPTED;
  return { kind: 'answer', isCounted: true, answer };
}

function parse(bytes: Uint8Array, { receivedMs }: ParseRequest, sink: SeriesSink): ParseFailure {
  const events = eventsOf(parseJson(bytes));
  if (typeof events === 'string') return `cannot parse the body: ${events}; send [{"Events":[{…}]}]`;
  for (const event of events) writeEvent(event, receivedMs, sink);
  return undefined;
}

export const newRelic: Protocol = {
  name: 'newrelic',
  summary: "Events of New Relic's infrastructure agent.",
  routes: ['/newrelic', INVENTORY_PATH, EVENTS_PATH].map((path) => ({ path, counterPath: path })),
  options: newRelicOptions,
  sizeOption: 'newrelic.maxInsertRequestSize',
  accepted: ACCEPTED,
  receive,
  parse,
};
