/** Clients that push without pause and note what was acknowledged, what was refused, and what nobody knows. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { encode, requestOf } from '../protocol/otlp-support.ts';
import { bitsOf, post, push, type Series, valueOfBits } from '../support/remote-write.ts';
import { SampleStore } from '../support/samples.ts';

const SERIES = 50;
/** After a refusal or a lost connection. */
const PAUSE_MS = 20;

/** Sends series to the daemon with this URL; whether they were taken. */
export type Send = (url: string, series: readonly Series[], tick: number) => Promise<boolean>;

const remoteWrite: Send = async (url, series) => (await push(`${url}/api/v1/write`, series)).status === 204;

/** The same as data points of OpenTelemetry, protobuf and JSON in turn. */
export const openTelemetry: Send = async (url, series, tick) => {
  const metrics = series.map(({ labels: { __name__: name, ...labels }, points }) => ({
    name,
    gauge: {
      dataPoints: points.map(({ timestampMs, bits }) => ({
        timeUnixNano: `${timestampMs}000000`,
        asDouble: valueOfBits(bits),
        attributes: Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } })),
      })),
    },
  }));
  const isJson = tick % 2 === 0;
  const body = isJson ? Buffer.from(JSON.stringify(requestOf(...metrics))) : encode(requestOf(...metrics));
  const { status, text } = await post(`${url}/opentelemetry/v1/metrics`, body, {
    'Content-Encoding': 'identity',
    'Content-Type': isJson ? 'application/json' : 'application/x-protobuf',
  });
  if (status === 200) assert.equal(text, isJson ? '{}' : '', 'nothing is left out');
  return status === 200;
};

export class Load {
  readonly acknowledged = new SampleStore();
  /** Sent, whatever came of it: nothing else may arrive anywhere. */
  readonly sent = new SampleStore();
  unknown = 0;
  refused = 0;
  readonly #url: () => string;
  readonly #send: Send;
  #running = false;
  #clients: Promise<void>[] = [];
  #tick = 0;

  /** `url` of the daemon; it may change with every restart. */
  constructor(url: () => string, send: Send = remoteWrite) {
    this.#url = url;
    this.#send = send;
  }

  start(clients: number): void {
    this.#running = true;
    this.#clients = Array.from({ length: clients }, (_, client) => this.#client(client));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  async #client(client: number): Promise<void> {
    while (this.#running) {
      const tick = ++this.#tick;
      const series: Series[] = Array.from({ length: SERIES }, (_, index) => ({
        labels: { __name__: 'led', client: String(client), series: String(index) },
        points: [{ timestampMs: 1_790_000_000_000 + tick, bits: bitsOf(tick + index / 64) }],
      }));
      this.sent.addAll(series);
      try {
        const isTaken = await this.#send(this.#url(), series, tick);
        if (isTaken) this.acknowledged.addAll(series);
        else this.refused++;
        if (!isTaken) await delay(PAUSE_MS);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.unknown++;
        await delay(PAUSE_MS);
      }
    }
  }
}
