/** A real server on free ports with a scripted engine behind it, and raw sockets to talk to it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { compress } from 'snappyjs';
import type { OptionSpec } from '../../src/config/option.ts';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { type IngestValues, ingestOptions } from '../../src/ingest/options.ts';
import { HttpServer } from '../../src/ingest/server.ts';
import type { Body, BodyRoom, Counts, Intake, Verdict } from '../../src/model/body.ts';
import { noCounts } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import type { Meter, MetricLabels } from '../../src/util/meter.ts';
import { atEnd } from '../support/cleanup.ts';
import { type LogLine, recordingLogger } from '../support/quiet-logger.ts';

export function valuesWith(overrides: Partial<IngestValues> = {}): IngestValues {
  const entries = Object.entries<OptionSpec>(ingestOptions).map(([name, spec]) => [name, spec.default]);
  return { ...Object.fromEntries(entries), httpListenAddr: ['127.0.0.1:0'], ...overrides } as IngestValues;
}

/** A meter whose values tests can read by `name{label="value"}`. */
export class RecordingMeter implements Meter {
  readonly #values = new Map<string, number>();
  readonly #reads = new Map<string, () => number>();

  counter(name: string, _help: string, labels: MetricLabels = {}) {
    const key = keyOf(name, labels);
    this.#values.set(key, this.#values.get(key) ?? 0);
    return { inc: (by = 1) => void this.#values.set(key, this.#values.get(key)! + by) };
  }

  gauge(name: string, _help: string, labels: MetricLabels = {}) {
    return { set: (value: number) => void this.#values.set(keyOf(name, labels), value) };
  }

  gaugeOf(name: string, _help: string, labels: MetricLabels, read: () => number): void {
    this.#reads.set(keyOf(name, labels), read);
  }

  counterOf(name: string, help: string, labels: MetricLabels, read: () => number): void {
    this.gaugeOf(name, help, labels, read);
  }

  histogram(name: string, help: string, labels: MetricLabels = {}) {
    const count = this.counter(`${name}_count`, help, labels);
    const sum = this.counter(`${name}_sum`, help, labels);
    return {
      observe: (value: number) => {
        count.inc();
        sum.inc(value);
      },
    };
  }

  remove(): void {}

  /** Undefined if there is no such metric. */
  value(name: string, labels: MetricLabels = {}): number | undefined {
    const key = keyOf(name, labels);
    return this.#reads.get(key)?.() ?? this.#values.get(key);
  }
}

function keyOf(name: string, labels: MetricLabels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${parts.toSorted().join(',')}}`;
}

export function verdictOf(counts: Partial<Counts>): Verdict {
  return { ok: true, counts: { ...noCounts, ...counts } };
}

/** An engine that answers as it is told and keeps what it got. */
export class FakeIntake implements Intake {
  readonly bodies: Body[] = [];
  judge: (body: Body) => Verdict | Promise<Verdict> = () => verdictOf({ series: 1, samples: 1 });

  /** Tests of the limiter set it to false: tokens are kept until the verdict then. */
  hasRoom = false;

  /** Bytes that were given and not given back. */
  reservedBytes = 0;

  reserve(byteLength: number): BodyRoom | undefined {
    this.reservedBytes += byteLength;
    let isOpen = true;
    const release = () => {
      if (isOpen) this.reservedBytes -= byteLength;
      isOpen = false;
    };
    return { bytes: new Uint8Array(byteLength), release };
  }

  submit(body: Body): Promise<Verdict> {
    const kept = { ...body, bytes: new Uint8Array(body.bytes) };
    this.bodies.push(kept);
    return Promise.resolve(kept).then((mine) => this.judge(mine));
  }
}

export interface Harness {
  readonly server: HttpServer;
  readonly intake: FakeIntake;
  readonly meter: RecordingMeter;
  readonly log: { readonly lines: LogLine[] };
  readonly port: number;
  readonly url: string;
}

export async function startServer(
  t: TestContext,
  overrides: Partial<IngestValues> = {},
  endpoints: readonly Endpoint[] = [],
  clock: Clock = systemClock,
): Promise<Harness> {
  const intake = new FakeIntake();
  const meter = new RecordingMeter();
  const log = recordingLogger();
  const values = valuesWith({ 'http.maxGracefulShutdownDuration': 200, ...overrides });
  const protocolOptions = Object.fromEntries(
    Object.values<Protocol>(protocols).flatMap(({ options }) =>
      Object.entries(options).map(([name, spec]) => [name, spec.default]),
    ),
  );
  const server = new HttpServer({
    values,
    protocolOptions,
    intake,
    endpoints,
    clock,
    meter,
    log,
  });
  await server.listen();
  atEnd(t, () => server.close());
  return { server, intake, meter, log, port: server.addresses[0]!.port, url: server.urls[0]! };
}

/** Opens a socket that is closed at the end of the test. */
export async function open(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  // The server may reset a connection that it refuses.
  socket.on('error', () => {});
  atEnd(t, () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the server closes the connection. */
export async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** Sends bytes on a connection of their own and returns all that comes until the server closes it. */
export async function exchange(t: TestContext, port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = await open(t, port);
  socket.write(bytes);
  return readToEnd(socket);
}

export function request(headers: Readonly<Record<string, string | number>>, path = '/api/v1/write'): string {
  const lines = Object.entries({ Host: 'sluice', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Bytes that differ, for tests of what arrives. */
export function bodyOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (seed * 31 + at * 7 + (at >> 8)) & 0xff;
  return bytes;
}

/** Bytes of one request that is read directly. */
export function direct(body: Uint8Array, more: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.concat([Buffer.from(request({ ...more, 'Content-Length': body.byteLength })), body]);
}

/** Bytes that come until there are so many answers. */
export async function answers(socket: Socket, count: number): Promise<string> {
  let text = '';
  const read = (chunk: Buffer) => {
    text += chunk.toString('latin1');
  };
  socket.on('data', read);
  while ((text.match(/HTTP\/1\.1 (?!100)/g)?.length ?? 0) < count) await once(socket, 'data');
  socket.off('data', read);
  return text;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

export async function fetchText(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** That a good request is taken: whatever happened before did no harm. */
export async function assertServes({ url }: Harness): Promise<void> {
  const body = new Uint8Array(compress(Uint8Array.of(1, 2, 3)));
  const answer = await fetchText(`${url}/api/v1/write`, { method: 'POST', body });
  assert.equal(answer.status, 204);
}

/** Waits turn by turn until something that must happen has happened. */
export async function settled(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(setImmediate);
}
