/** Runs a parser as the engine does, and reads what it wrote with protobufjs. */
import assert from 'node:assert/strict';
import type { OptionSpec, OptionTable } from '../../src/config/option.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { TextScanner } from '../../src/kernel/text-scanner.ts';
import type { Label } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol, Reception } from '../../src/protocol/protocol.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink, SinkFull } from '../../src/protocol/series-sink.ts';
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

const allDefaults = () => {
  return Object.assign({}, ...Object.values<Protocol>(protocols).map(({ options }) => defaultsOf(options)));
};

export function defaultsOf(table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries<OptionSpec>(table).map(([name, spec]) => [name, spec.default]));
}

function read(message: Uint8Array): Pick<Parsed, 'rows' | 'metadata'> {
  const type = remoteWriteType('WriteRequest');
  const object = type.toObject(type.decode(message), { longs: Number, defaults: true, arrays: true });
  return { rows: object.timeseries, metadata: object.metadata };
}

/** One for all: what a body leaves in it must mean nothing for the next. */
const kernel = new Kernel(compileKernel());
const scanner = new TextScanner(kernel);

function foundIn(message: Uint8Array): unknown {
  const place = kernel.memory.alloc(message.byteLength + 64);
  kernel.memory.bytes().set(message, place);
  const found = kernel.validateWriteRequest(place, message.byteLength);
  kernel.memory.free(place, message.byteLength + 64);
  return found;
}

function run(protocol: Protocol, bytes: Uint8Array, given: Given, scanned: boolean) {
  const sink = new SeriesSink(64 * 1024 * 1024);
  const options = { ...allDefaults(), ...given.options };
  const parameters = given.parameters ?? {};
  const request = { parameters, receivedMs: NOW_MS, options, scanner: scanned ? scanner : undefined };
  const failure = protocol.parse!(bytes, request, sink);
  const { rowsInvalid: invalid, examples } = sink;
  const rowsRead = sink.rowsRead ?? sink.samples;
  assert.deepEqual(sink.found, foundIn(sink.bytes));
  const message = Buffer.from(sink.bytes);
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
  return { ...parsed, ...read(message) };
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
    header: (name: string) => headers[name] ?? '',
  };
  return protocol.receive(head, { ...allDefaults(), ...options });
}

const FUZZ_BYTES_MAX = 1024 * 1024;
const place = kernel.memory.alloc(FUZZ_BYTES_MAX + 64);

/** By the engine's own check, as names and values need not be UTF-8. */
function isWriteRequest(message: Uint8Array): boolean {
  kernel.memory.bytes().set(message, place);
  return !('error' in kernel.validateWriteRequest(place, message.byteLength));
}

export const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);

/**
 * Feeds a parser with mutated seeds: it must neither throw nor write anything that is not a WriteRequest, and must do the
 * same at a second time, with a scanner that takes lines ahead of it. The seed of the run is in the message of a failure.
 */
export function fuzz(
  protocol: Protocol,
  seeds: readonly (string | Uint8Array)[],
  given: readonly Given[] = [{}],
  runs = FUZZ_RUNS,
): void {
  const bodies = seeds.map((seed) => (typeof seed === 'string' ? new TextEncoder().encode(seed) : seed));
  const random = randomFrom(Number(process.env.SEED ?? 1));
  const sinks = [new SeriesSink(FUZZ_BYTES_MAX), new SeriesSink(FUZZ_BYTES_MAX)];
  for (let run = 0; run < runs; run++) {
    const body = mutated(bodies, random);
    const bodyShared = shared(body);
    const { parameters = {}, options = {} } = given[run % given.length]!;
    const request = {
      parameters,
      receivedMs: NOW_MS,
      options: { ...allDefaults(), ...options },
    };
    const messages = sinks.map((each, index) => {
      each.reset(FUZZ_BYTES_MAX);
      try {
        protocol.parse!(
          index === 0 ? body : bodyShared,
          { ...request, scanner: index === 0 ? undefined : scanner },
          each,
        );
      } catch (error) {
        if (!(error instanceof SinkFull)) {
          throw new Error(`run ${run}: ${JSON.stringify(Buffer.from(body).toString('latin1'))}`, {
            cause: error,
          });
        }
      }
      return each.bytes;
    });
    assert.ok(
      Buffer.from(messages[0]!).equals(messages[1]!),
      `run ${run}: ${JSON.stringify(Buffer.from(body).toString('latin1'))}`,
    );
    assert.ok(isWriteRequest(messages[0]!), `run ${run}`);
  }
}

function mutated(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let bytes = Array.from(seeds[below(seeds.length)]!);
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(bytes.length + 1);
    const other = seeds[below(seeds.length)]!;
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes.splice(at, 0, other[below(other.byteLength)]!);
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
      default:
        bytes = bytes.slice(0, at);
    }
  }
  return Uint8Array.from(bytes, (byte) => byte ?? 0);
}
