/** Clients that push without pause and note what was acknowledged, what was refused, and what nobody knows. */
import { setTimeout as delay } from 'node:timers/promises';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { SampleStore } from '../support/samples.ts';

const SERIES = 50;
/** After a refusal or a lost connection. */
const PAUSE_MS = 20;

export class Load {
  readonly acknowledged = new SampleStore();
  /** Sent, whatever came of it: nothing else may arrive anywhere. */
  readonly sent = new SampleStore();
  unknown = 0;
  refused = 0;
  readonly #url: () => string;
  #running = false;
  #clients: Promise<void>[] = [];
  #tick = 0;

  /** `url` of the daemon; it may change with every restart. */
  constructor(url: () => string) {
    this.#url = url;
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
        const { status } = await push(`${this.#url()}/api/v1/write`, series);
        if (status === 204) this.acknowledged.addAll(series);
        else this.refused++;
        if (status !== 204) await delay(PAUSE_MS);
      } catch {
        this.unknown++;
        await delay(PAUSE_MS);
      }
    }
  }
}
