/** Which clients send the most samples, by address; exact as long as there are not very many of them. */
import { joined } from './series/talkers.ts';
import type { Clock } from './util/clock.ts';
import { type Heavy, TopK } from './util/top-k.ts';

const PLACES = 500;
const WINDOW_MS = 5 * 60_000;
/** Remembered hosts of clients. */
const HOSTS_MAX = 1_000;

export class Clients {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #windows = [new TopK(PLACES)];
  #turnMs: number;
  readonly #hosts = new Map<string, string>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#turnMs = clock.monotonicMs() + WINDOW_MS;
  }

  /** A body was accepted. `client` is an address with its port. */
  note(client: string, samples: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#turnMs) {
      this.#windows = [...this.#windows.slice(-1), new TopK(PLACES)];
      this.#turnMs = nowMs + WINDOW_MS;
    }
    this.#windows.at(-1)!.add(this.#hostOf(client), samples);
  }

  /** Clients send many requests over one connection. */
  #hostOf(client: string): string {
    const known = this.#hosts.get(client);
    if (known !== undefined) return known;
    if (this.#hosts.size >= HOSTS_MAX) this.#hosts.clear();
    const host = hostOf(client);
    this.#hosts.set(client, host);
    return host;
  }

  top(): Heavy[] {
    return joined(this.#windows);
  }
}

function hostOf(client: string): string {
  const colon = client.lastIndexOf(':');
  return colon > 0 && /^\d+$/.test(client.slice(colon + 1)) ? client.slice(0, colon) : client;
}
