/** Fakes that several tests of delivery share. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { ConnectionStats } from '../../src/deliver/connection-stats.ts';
import { HttpClient, type HttpPorts } from '../../src/deliver/http.ts';
import { type DeliverValues, deliverOptions } from '../../src/deliver/options.ts';
import { systemClock } from '../../src/util/clock.ts';
import type { Meter, MetricLabels } from '../../src/util/meter.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

/** The defaults of all options, with some replaced. */
export function valuesWith(
  over: Partial<DeliverValues> = {},
): DeliverValues & Readonly<Record<string, unknown>> {
  const defaults = Object.entries(deliverOptions).map(([name, spec]) => [name, spec.default]);
  return { ...(Object.fromEntries(defaults) as DeliverValues), ...over };
}

/** A meter whose values the test can read: `value(name, labels)`. */
export class FakeMeter implements Meter {
  readonly #values = new Map<string, () => number>();

  #key(name: string, labels: MetricLabels = {}): string {
    return `${name}${JSON.stringify(Object.entries(labels).sort())}`;
  }

  value(name: string, labels?: MetricLabels): number | undefined {
    return this.#values.get(this.#key(name, labels))?.();
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  #cell(name: string, labels?: MetricLabels) {
    let value = 0;
    this.#values.set(this.#key(name, labels), () => value);
    return {
      inc: (by = 1) => {
        value += by;
      },
      set: (to: number) => {
        value = to;
      },
      observe: () => {
        value++;
      },
    };
  }

  counter(name: string, _help: string, labels?: MetricLabels) {
    return this.#cell(name, labels);
  }

  gauge(name: string, _help: string, labels?: MetricLabels) {
    return this.#cell(name, labels);
  }

  histogram(name: string, _help: string, labels?: MetricLabels) {
    return this.#cell(name, labels);
  }

  gaugeOf(name: string, _help: string, labels: MetricLabels, read: () => number): void {
    this.#values.set(this.#key(name, labels), read);
  }

  counterOf(name: string, _help: string, labels: MetricLabels, read: () => number): void {
    this.#values.set(this.#key(name, labels), read);
  }

  /** Labels whose metrics were removed. */
  readonly removed: MetricLabels[] = [];

  remove(labels: MetricLabels): void {
    this.removed.push(labels);
  }
}

/** Listens on a free port until the test ends. */
export async function listen(t: TestContext, server: Server | import('node:net').Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(t, createServer(listener))}`;
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function httpPorts(over: Partial<HttpPorts> = {}): HttpPorts & { meter: FakeMeter } {
  const meter = new FakeMeter();
  return {
    clock: systemClock,
    log: recordingLogger(),
    stats: new ConnectionStats(meter),
    env: {},
    meter,
    ...over,
  };
}

/** A client that is closed at the end of the test. */
export function client(
  t: TestContext,
  url: string,
  over: Partial<DeliverValues> = {},
  ports: Partial<HttpPorts> = {},
): HttpClient {
  const http = new HttpClient(url, valuesWith(over), httpPorts(ports));
  t.after(() => http.close());
  return http;
}

export const never = new AbortController().signal;
