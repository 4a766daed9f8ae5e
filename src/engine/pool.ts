/**
 * The main thread's side of the engine: gives bodies to the engine thread, takes verdicts and blocks back, and survives
 * the engine's death. Every body stays in the arena until all of it is out in blocks; when the engine dies, the next one
 * gets those bodies again, and the progress of each lane says where to go on, so nothing is lost or sent twice. A body
 * that was being worked on at two deaths is the cause: it is refused and set aside.
 */
import { Worker } from 'node:worker_threads';
import type { Block } from '../model/block.ts';
import type { Body, Counts, Intake, Verdict } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { Arena, type Slice } from './arena.ts';
import type {
  BlockMessage,
  BodyRef,
  EngineConfig,
  EngineStart,
  EngineStats,
  FromEngine,
  Progress,
  ToEngine,
  VerdictMessage,
} from './messages.ts';

/** A second `bodies` message lies ready while the engine works on the first, so that it never waits for the main thread. */
const BATCHES_IN_FLIGHT_MAX = 2;
/** A body that was in work at this many deaths of the engine is refused. */
const DEATHS_MAX = 2;
/** The pause before the n-th restart in a row is 2^(n-1) × this; a death at the first body of all is a broken build. */
const RESTART_DELAY_MS = 50;
const RESTART_DELAY_MS_MAX = 5_000;

interface Held {
  readonly ref: BodyRef;
  readonly slice: Slice;
  readonly client: string;
  readonly receivedMs: number;
  deaths: number;
  /** Absent once the verdict was given. */
  settle: ((verdict: Verdict) => void) | undefined;
}

export interface PoolPorts {
  readonly clock: Clock;
  readonly log: Logger;
  /** A finished block of a group, under the configuration that was in force when it was begun. */
  readonly onBlock: (group: number, generation: number, block: Block) => void;
  /** What an accepted body held; called once a body. */
  readonly onAccepted: (counts: Readonly<Counts>) => void;
  /** A body that killed the engine twice; it may have been acknowledged before. */
  readonly onQuarantined: (body: Uint8Array, client: string) => void;
  readonly module: WebAssembly.Module;
  /** The thread's entry; tests put a faulty one here. */
  readonly workerUrl?: URL;
}

export class EnginePool implements Intake {
  readonly #ports: PoolPorts;
  readonly #arena: Arena;
  readonly #held = new Map<number, Held>();
  readonly #current = new SharedArrayBuffer(8);
  #worker: Worker | undefined;
  /** Configurations by generation: the one that blocks arrive under now, and those that the engine was told since. */
  readonly #configs = new Map<number, EngineConfig>();
  #generation = 1;
  #activeGeneration = 1;
  #progress: Progress[][] = [];
  #outbox: BodyRef[] = [];
  #batchesInFlight = 0;
  #flushScheduled = false;
  #nextId = 1;
  #nextSeq = 1;
  #nextTicket = 1;
  readonly #tickets = new Map<number, () => void>();
  #restartsInRow = 0;
  #restarts = 0;
  #closed = false;
  #stats: EngineStats | undefined;

  constructor(config: EngineConfig, ports: PoolPorts) {
    this.#configs.set(1, config);
    this.#ports = ports;
    this.#arena = new Arena({
      added: (index, memory) => this.#post({ kind: 'slab', index, memory }),
      removed: (index) => this.#post({ kind: 'forget-slab', index }),
    });
    this.#resetProgress();
    this.#startWorker();
  }

  get stats(): EngineStats | undefined {
    return this.#stats;
  }

  /** The configuration that `stats` and the blocks that arrive now belong to. */
  get generation(): number {
    return this.#activeGeneration;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get arenaBytes(): number {
    return this.#arena.bytes;
  }

  get heldBodies(): number {
    return this.#held.size;
  }

  submit(body: Body): Promise<Verdict> {
    if (this.#closed) {
      return Promise.resolve({
        ok: false,
        status: 503,
        reason: 'overloaded',
        error:
          'cannot take the request: the relay is shutting down; send it again to another instance or later',
        retryAfterS: 5,
      });
    }
    const slice = this.#arena.allocate(body.bytes.byteLength);
    slice.bytes.set(body.bytes);
    const ref: BodyRef = {
      id: this.#nextId++,
      slab: slice.slab,
      offset: slice.offset,
      length: body.bytes.byteLength,
      encoding: body.encoding,
      protocol: body.protocol,
      extraLabels: body.extraLabels,
    };
    return new Promise((settle) => {
      this.#held.set(ref.id, {
        ref,
        slice,
        client: body.client,
        receivedMs: this.#ports.clock.monotonicMs(),
        deaths: 0,
        settle,
      });
      this.#outbox.push(ref);
      this.#schedule();
    });
  }

  /** Blocks that are begun are finished under the old configuration first. Returns the new generation. */
  configure(config: EngineConfig): number {
    this.#configs.set(++this.#generation, config);
    this.#send();
    this.#post({ kind: 'configure', generation: this.#generation, config });
    return this.#generation;
  }

  /** Resolves when everything submitted so far is out in blocks. */
  flush(): Promise<void> {
    this.#send();
    const ticket = this.#nextTicket++;
    return new Promise((resolve) => {
      this.#tickets.set(ticket, resolve);
      this.#post({ kind: 'flush', ticket });
    });
  }

  /** Takes no more bodies, puts all that were taken into blocks, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  /** Bodies that arrive in one turn of the event loop go over in one message. */
  #schedule(): void {
    if (this.#flushScheduled || this.#batchesInFlight >= BATCHES_IN_FLIGHT_MAX) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      if (this.#batchesInFlight < BATCHES_IN_FLIGHT_MAX) this.#send();
    });
  }

  #send(): void {
    if (this.#outbox.length === 0 || this.#worker === undefined) return;
    this.#post({ kind: 'bodies', bodies: this.#outbox });
    this.#outbox = [];
    this.#batchesInFlight++;
  }

  #post(message: ToEngine): void {
    this.#worker?.postMessage(message);
  }

  #startWorker(): void {
    const data: EngineStart = { module: this.#ports.module, current: this.#current };
    const worker = new Worker(this.#ports.workerUrl ?? new URL('./worker.ts', import.meta.url), {
      workerData: data,
      name: 'engine',
    });
    this.#worker = worker;
    let failure: unknown;
    worker.on('message', (message: FromEngine) => this.#onMessage(message));
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#onDeath(failure);
    });
    for (const { index, memory } of this.#arena.slabs()) this.#post({ kind: 'slab', index, memory });
    const [active, ...newer] = this.#configs;
    assert(active !== undefined, 'there is always a configuration in force');
    this.#post({ kind: 'configure', generation: active[0], config: active[1], progress: this.#progress });
    // Everything that is not out yet goes again, in order: what the dead engine had, and what still waited for it.
    this.#outbox = [...this.#held.values()].map((held) => held.ref);
    this.#batchesInFlight = 0;
    this.#send();
    for (const [generation, config] of newer) this.#post({ kind: 'configure', generation, config });
    for (const ticket of this.#tickets.keys()) this.#post({ kind: 'flush', ticket });
  }

  #onMessage(message: FromEngine): void {
    this.#restartsInRow = 0;
    this.#stats = message.stats;
    if (message.generation !== this.#activeGeneration) {
      this.#configs.delete(this.#activeGeneration);
      this.#activeGeneration = message.generation;
      this.#resetProgress();
    }
    for (const block of message.blocks) this.#onBlock(block);
    for (const verdict of message.verdicts) this.#onVerdict(verdict);
    this.#releaseBefore(message.heldFrom ?? this.#firstUnsettled());
    this.#batchesInFlight -= message.batches;
    for (const ticket of message.tickets) {
      this.#tickets.get(ticket)?.();
      this.#tickets.delete(ticket);
    }
    if (this.#outbox.length > 0) this.#schedule();
  }

  #onBlock(message: BlockMessage): void {
    const lanes = this.#progress[message.group];
    if (lanes !== undefined) lanes[message.lane] = message.progress;
    this.#ports.onBlock(message.group, this.#activeGeneration, {
      seq: this.#nextSeq++,
      codec: message.codec,
      bytes: new Uint8Array(message.memory, message.offset, message.length),
      rawLength: message.rawLength,
      counts: message.counts,
      slots: message.slots,
      bornMs: this.#held.get(message.firstBody)?.receivedMs ?? this.#ports.clock.monotonicMs(),
    });
  }

  #onVerdict(message: VerdictMessage): void {
    const held = this.#held.get(message.id);
    if (held?.settle === undefined) return;
    const settle = held.settle;
    held.settle = undefined;
    if ('counts' in message) {
      this.#ports.onAccepted(message.counts);
      settle({ ok: true, counts: message.counts });
    } else {
      this.#release(held);
      settle({ ok: false, status: message.status, reason: message.reason, error: message.error });
    }
  }

  #firstUnsettled(): number {
    for (const [id, held] of this.#held) if (held.settle !== undefined) return id;
    return this.#nextId;
  }

  #releaseBefore(id: number): void {
    for (const [heldId, held] of this.#held) {
      if (heldId >= id || held.settle !== undefined) return;
      this.#release(held);
    }
  }

  #release(held: Held): void {
    this.#held.delete(held.ref.id);
    this.#arena.free(held.slice);
  }

  #resetProgress(): void {
    const groups = this.#configs.get(this.#activeGeneration)?.groups ?? [];
    this.#progress = groups.map((group) =>
      Array.from({ length: group.parallel }, () => ({ body: 0, series: 0, sample: 0 })),
    );
  }

  #onDeath(failure: unknown): void {
    this.#worker = undefined;
    if (this.#closed && this.#held.size === 0) return;
    this.#restarts++;
    const current = new Float64Array(this.#current);
    const culprit = this.#held.get(current[0]!);
    current[0] = 0;
    this.#ports.log.error(
      'the engine thread died; it is started again and goes on with the requests it had',
      {
        error: failure === undefined ? 'it ended by itself' : messageOf(failure),
        stack: failure instanceof Error ? failure.stack : undefined,
        client: culprit?.client,
      },
    );
    if (culprit !== undefined && ++culprit.deaths >= DEATHS_MAX) this.#quarantine(culprit);
    const delayMs = Math.min(RESTART_DELAY_MS * 2 ** this.#restartsInRow++, RESTART_DELAY_MS_MAX);
    this.#ports.clock.after(delayMs, () => this.#startWorker());
  }

  #quarantine(held: Held): void {
    this.#ports.onQuarantined(held.slice.bytes.slice(), held.client);
    held.settle?.({
      ok: false,
      status: 400,
      reason: 'quarantined',
      error:
        'cannot process the request: it made the engine fail twice; it was kept in the quarantine directory, please report it',
    });
    this.#release(held);
  }
}
