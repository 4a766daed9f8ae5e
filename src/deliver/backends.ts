/**
 * The backends behind one destination: a single one for an ordinary host, one per address for `dns+` and `srv+` hosts.
 * A request goes to the backend with the fewest requests under way; one that failed is left alone for a while.
 */
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

const RESOLVE_MS = 10_000;
const SKIP_MS = 5000;

export interface Backend<T> {
  readonly address: Address;
  readonly connection: T;
  inFlight: number;
  skipUntilMs: number;
}

export interface BackendsPorts<T> {
  readonly clock: Clock;
  readonly log: Logger;
  /** Present addresses; rejects when the name cannot be resolved now, and the old ones stay. */
  readonly resolve: () => Promise<readonly Address[]>;
  readonly open: (address: Address) => T;
  /** Lets requests that are under way finish. */
  readonly retire: (connection: T) => void;
}

export class Backends<T> {
  readonly #ports: BackendsPorts<T>;
  #backends: Backend<T>[] = [];
  #resolvedAtMs = Number.NEGATIVE_INFINITY;
  #resolving: Promise<void> | undefined;
  #turn = 0;

  constructor(ports: BackendsPorts<T>) {
    this.#ports = ports;
  }

  get all(): readonly Backend<T>[] {
    return this.#backends;
  }

  /** The backend for the next request. Rejects while no address has ever been found. */
  async pick(): Promise<Backend<T>> {
    const stale = this.#ports.clock.monotonicMs() - this.#resolvedAtMs >= RESOLVE_MS;
    if (stale || this.#backends.length === 0) {
      this.#resolving ??= this.#resolve().finally(() => {
        this.#resolving = undefined;
      });
      // With addresses at hand nobody waits for a slow name server.
      if (this.#backends.length === 0) await this.#resolving;
      else this.#resolving.catch((error) => this.#warn(error));
    }
    return this.#best();
  }

  failed(backend: Backend<T>): void {
    backend.skipUntilMs = this.#ports.clock.monotonicMs() + SKIP_MS;
  }

  /** Opens every backend anew, for changed TLS files or addresses. */
  reopen(): void {
    this.#backends = this.#backends.map(({ address, connection }) => {
      this.#ports.retire(connection);
      return this.#open(address);
    });
  }

  #open(address: Address): Backend<T> {
    return { address, connection: this.#ports.open(address), inFlight: 0, skipUntilMs: 0 };
  }

  async #resolve(): Promise<void> {
    this.#resolvedAtMs = this.#ports.clock.monotonicMs();
    const addresses = await this.#ports.resolve();
    const key = ({ host, port }: Address) => `${host} ${port}`;
    const old = new Map(this.#backends.map((backend) => [key(backend.address), backend]));
    const wanted = new Map(addresses.map((address) => [key(address), address]));
    this.#backends = [...wanted].map(([name, address]) => old.get(name) ?? this.#open(address));
    for (const [name, { connection }] of old) if (!wanted.has(name)) this.#ports.retire(connection);
  }

  #warn(error: unknown): void {
    this.#ports.log
      .limited('resolve', 60_000)
      .warn('cannot look up the host of a destination; its last known addresses stay in use', {
        error: messageOf(error),
      });
  }

  #best(): Backend<T> {
    const nowMs = this.#ports.clock.monotonicMs();
    const usable = this.#backends.filter((backend) => backend.skipUntilMs <= nowMs);
    const from = usable.length > 0 ? usable : this.#backends;
    if (from.length === 0) throw new Error('the name of the host has no addresses');
    // Equal ones take turns.
    this.#turn = (this.#turn + 1) % from.length;
    return from
      .map((_, index) => from[(index + this.#turn) % from.length]!)
      .reduce((best, backend) => (backend.inFlight < best.inFlight ? backend : best));
  }
}
