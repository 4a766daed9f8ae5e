/** Runs a parser as the engine does, and reads what it wrote with protobufjs. */
import assert from 'node:assert/strict';
import { uncompress } from 'snappyjs';
import type { OptionSpec, OptionTable } from '../../src/config/option.ts';
import { MessageRoom } from '../../src/engine/message-room.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Region } from '../../src/kernel/memory.ts';
import { TextScanner } from '../../src/kernel/text-scanner.ts';
import type { Label } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol, Reception } from '../../src/protocol/protocol.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink, SinkFull } from '../../src/protocol/series-sink.ts';
import { encodeVarint } from '../../src/util/varint.ts';
import { randomFrom } from '../support/random.ts';

export const NOW_MS = 1_790_000_000_123;

export interface ParsedRow {
  readonly labels: readonly Label[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
}

export interface Parsed {
  readonly failure: string | undefined;
  readonly rows: readonly ParsedRow[];
  readonly metadata: readonly {
    readonly type: number;
    readonly metricFamilyName: string;
    readonly help: string;
  }[];
  readonly invalid: number;
  readonly rowsRead: number;
  readonly examples: readonly string[];
}

export interface Given {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** The defaults of all protocols' options. */
export const allDefaults = (): Record<string, unknown> => {
  return Object.assign({}, ...Object.values<Protocol>(protocols).map(({ options }) => defaultsOf(options)));
};

export function defaultsOf(table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries<OptionSpec>(table).map(([name, spec]) => [name, spec.default]));
}

/** A WriteRequest, by protobufjs. */
export function readMessage(message: Uint8Array): Pick<Parsed, 'rows' | 'metadata'> {
  const type = remoteWriteType('WriteRequest');
  const object = type.toObject(type.decode(message), { longs: Number, defaults: true, arrays: true });
  return { rows: object.timeseries, metadata: object.metadata };
}

/** One for all: what a body leaves in it must mean nothing for the next. */
const kernel = new Kernel(compileKernel());
const scanner = new TextScanner(kernel);

/** Linear memory for messages; one for all as well. */
const region = new Region(kernel.memory);
const room = new MessageRoom(kernel, (byteLength) => region.reserve(byteLength));

/** Writes what of the message is not written yet. Its elements, and those of what lies between its cuts, are the snappy form of it. */
function checkElements(sink: SeriesSink): void {
  const message = sink.bytes;
  const elements = scanner.elements.finish(room.ptr, message.byteLength);
  // Making them may have made the memory grow.
  const bytes = kernel.memory.bytes();
  if (elements === undefined) return;
  elements.write();
  let from = { bytes: 0, elements: 0 };
  for (const to of [...sink.cuts, { bytes: sink.bytes.byteLength, elements: elements.length }]) {
    const stream = bytes.subarray(elements.ptr + from.elements, elements.ptr + to.elements);
    const expected = sink.bytes.subarray(from.bytes, to.bytes);
    const block = Buffer.concat([encodeVarint(expected.byteLength), stream]);
    assert.deepEqual(Buffer.from(uncompress(block)), Buffer.from(expected));
    from = to;
  }
}

function foundIn(message: Uint8Array): unknown {
  const place = kernel.memory.alloc(message.byteLength + 64);
  kernel.memory.bytes().set(message, place);
  const found = kernel.validateWriteRequest(place, message.byteLength);
  kernel.memory.free(place, message.byteLength + 64);
  return found;
}

function run(protocol: Protocol, bytes: Uint8Array, given: Given, scanned: boolean) {
  const sink = new SeriesSink(64 * 1024 * 1024, scanned ? room : undefined);
  if (scanned) scanner.elements.begin(true);
  const options = { ...allDefaults(), ...given.options };
  const parameters = given.parameters ?? {};
  const request = { parameters, receivedMs: NOW_MS, options, scanner: scanned ? scanner : undefined };
  const failure = protocol.parse!(bytes, request, sink);
  if (scanned && failure === undefined) checkElements(sink);
  const { rowsInvalid: invalid, examples } = sink;
  const rowsRead = sink.rowsRead ?? sink.samples;
  // Of a body that is refused nothing is taken, so it may end in the middle of a series.
  const message = Buffer.from(failure === undefined ? sink.bytes : []);
  if (failure === undefined) assert.deepEqual(sink.found, foundIn(message));
  return { failure, message, invalid, rowsRead, examples };
}

/** As the engine has what is not compressed. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  return copy;
}

/** With the scanner that takes lines ahead of the parser, and without: that must not make a difference. */
export function parse(protocol: Protocol, body: string | Uint8Array, given: Given = {}): Parsed {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const { message, ...parsed } = run(protocol, bytes, given, false);
  assert.deepEqual(run(protocol, shared(bytes), given, true), { message, ...parsed });
  return { ...parsed, ...readMessage(message) };
}

/** `name{label="value"} 1@2000`, `now` for the time of arrival. */
export function show({ labels, samples }: ParsedRow): string {
  const [first, ...others] = labels;
  const named = first?.name === '__name__' ? [first.value, others] : ['', labels];
  const shown = (named[1] as readonly Label[]).map(({ name, value }) => `${name}=${JSON.stringify(value)}`);
  const points = samples.map(({ value, timestamp }) => {
    return `${Object.is(value, -0) ? '-0' : value}@${timestamp === NOW_MS ? 'now' : timestamp}`;
  });
  return `${named[0]}{${shown.join(',')}} ${points.join(' ')}`;
}

/** The rows of a body that is taken, as `show` writes them. */
export function rowsOf(protocol: Protocol, body: string | Uint8Array, given: Given = {}): string[] {
  const { failure, rows } = parse(protocol, body, given);
  assert.equal(failure, undefined);
  return rows.map(show);
}

export interface Head {
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What the protocol says of a request at the first of its routes that has the path. */
export function receive(
  protocol: Protocol,
  { path, query = '', headers = {}, options = {} }: Head = {},
): Reception {
  const routes = protocol.routes.filter((route) => {
    return path === undefined || route.path === path || (route.prefix && path.startsWith(route.path));
  });
  assert.notEqual(routes.length, 0, `there is a route for ${path}`);
  const head = {
    route: routes[0]!,
    path: path ?? routes[0]!.path,
    query: new URLSearchParams(query),
    receivedMs: NOW_MS,
    header: (name: string) => headers[name] ?? '',
  };
  return protocol.receive(head, { ...allDefaults(), ...options });
}

const FUZZ_BYTES_MAX = 1024 * 1024;

/** Of each parser; 20,000 in .ci/run, millions by `npm run test:fuzz`. */
export const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? process.env.FUZZ_INPUTS ?? 5_000);

export interface FuzzRun {
  readonly runs?: number;
  /** Of the first input; the next one has the next. */
  readonly seed?: number;
  /** Called before each input; false ends the run. */
  readonly watch?: (input: number) => boolean;
}

/**
 * Feeds a parser with mutated seeds: it must neither throw nor write anything that is not a WriteRequest, must count what it
 * writes, and must do the same at a second time, with a scanner that takes lines ahead of it. Every input is made from its own
 * seed alone, which is in the message of a failure.
 */
export function fuzz(
  protocol: Protocol,
  seeds: readonly (string | Uint8Array)[],
  given: readonly Given[] = [{}],
  { runs = FUZZ_RUNS, seed = 1, watch = () => true }: FuzzRun = {},
): void {
  const bodies = seeds.map((one) => (typeof one === 'string' ? new TextEncoder().encode(one) : one));
  const sinks = [new SeriesSink(FUZZ_BYTES_MAX), new SeriesSink(FUZZ_BYTES_MAX, room)];
  const defaults = allDefaults();
  for (let run = seed; run < seed + runs && watch(run - seed); run++) {
    const body = mutated(bodies, randomFrom(run));
    const bodyShared = shared(body);
    const { parameters = {}, options = {} } = given[run % given.length]!;
    const request = {
      parameters,
      receivedMs: NOW_MS,
      options: { ...defaults, ...options },
    };
    try {
      const taken = sinks.map((each, index) => {
        each.reset(FUZZ_BYTES_MAX);
        scanner.elements.begin(index === 1);
        try {
          const [bytes, own] = index === 0 ? [body, request] : [bodyShared, { ...request, scanner }];
          return protocol.parse!(bytes, own, each) === undefined;
        } catch (error) {
          if (error instanceof SinkFull) return false;
          throw error;
        }
      });
      assert.equal(taken[0], taken[1]);
      // Of a body that is refused nothing is taken, so what was written may end anywhere.
      if (!taken[0]) continue;
      const [first, second] = sinks as [SeriesSink, SeriesSink];
      checkElements(second);
      assert.deepEqual(first.bytes, second.bytes);
      assert.deepEqual(first.found, foundIn(first.bytes));
      assert.deepEqual(second.found, first.found);
    } catch (cause) {
      const shown = JSON.stringify(Buffer.from(body).toString('latin1'));
      throw new Error(
        `${shown} fails; repeat it with: node test/protocol/fuzz.ts --protocol ${protocol.name} --runs 1 --seed ${run}`,
        { cause },
      );
    }
  }
}

/** What breaks parsers: the ends of numbers, of escapes, of texts and of lengths. */
const TOKENS = [
  ...[
    '0',
    '-0',
    '-1',
    '1e400',
    '1e-400',
    '9223372036854775808',
    '18446744073709551616',
    'nan',
    '-inf',
    '.',
    '+',
  ],
  ...[
    '"',
    "'",
    '\\',
    '\\u',
    '\\ud83d',
    '{',
    '}',
    '[',
    ']',
    '(',
    ':',
    ';',
    ',',
    '=',
    '|',
    '#',
    '@',
    ' ',
    '\t',
    '\n',
    '\r\n',
  ],
  ...[
    'null',
    '\0',
    '\x7f',
    '\xff\xff\xff\xff\x0f',
    '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
    '\xc3',
    '\xed\xa0\x80',
    '__name__',
  ],
].map((token) => Buffer.from(token, 'latin1'));

/** One of the seeds with one to four changes. */
export function mutated(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let bytes = Array.from(seeds[below(seeds.length)]!);
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(bytes.length + 1);
    const other = seeds[below(seeds.length)]!;
    switch (below(8)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes.splice(at, 0, other[below(other.byteLength)] ?? 0);
        break;
      case 2:
        bytes.splice(at, 1 + below(8));
        break;
      case 3:
        bytes = [...bytes.slice(0, at), ...other.subarray(below(other.byteLength))];
        break;
      case 4:
        bytes.splice(at, 0, ...bytes.slice(at, at + below(20)));
        break;
      case 5:
        bytes.splice(at, below(3), ...TOKENS[below(TOKENS.length)]!);
        break;
      case 6:
        // Two seeds change places in the middle.
        bytes = [...other.subarray(0, below(other.byteLength)), ...bytes.slice(at)];
        break;
      default:
        bytes = bytes.slice(0, at);
    }
  }
  return Uint8Array.from(bytes);
}
