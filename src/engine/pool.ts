/**
 * The main thread's side of the engine: gives bodies to the engine, takes verdicts and blocks back, and survives
 * the engine's death. Every body stays in the arena until all of it is out in blocks; when the engine dies, the next one
 * gets those bodies again, and the progress of each lane says where to go on, so nothing is lost or sent twice. A body
 * that was being worked on at two deaths is the cause: it is refused and set aside.
 */
import { BODY_STEP } from '../encode/group.ts';
import { BlockMemory } from '../model/block.ts';
import {
  type Body,
  type Counts,
  type Intake,
  type ParseNotes,
  unavailable,
  type Verdict,
} from '../model/body.ts';
import type { StateMemory } from '../transform/state/bytes.ts';
import { assert } from '../util/assert.ts';
import { messageOf } from '../util/error.ts';
import { Arena } from './arena.ts';
import { type Held, HeldBodies } from './held.ts';
import type { EngineHost } from './host.ts';
import {
  ACCEPTED_FIELDS,
  type AggregationStats,
  type BlockMessage,
  type BodyFormat,
  type EngineConfig,
  type EngineReport,
  type EngineStats,
  type FromEngine,
  type Progress,
  type Refusal,
  type ToEngine,
} from './messages.ts';
import { countsAt, droppedOf, statsOf } from './numbers.ts';
import { Outbox } from './outbox.ts';
import type { PoolPorts, Replayed } from './pool-ports.ts';
import { Questions } from './questions.ts';
import { type Room, Rooms } from './rooms.ts';
import { isAggregating } from './stages.ts';
import { StateKeeper } from './state-keeper.ts';

/** Compressed bytes that may wait for the engine, some 50 ms of its work, before the limiter counts them. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** A body that was in work at this many deaths of the engine is refused. */
const DEATHS_MAX = 2;
/** The pause before the n-th restart in a row is 2^(n-1) × this; a death at the first body of all is a broken build. */
const RESTART_DELAY_MS = 50;
const RESTART_DELAY_MS_MAX = 5_000;
/** More deaths in a row than one bad body can cause. */
const RESTARTS_AT_CLOSE_MAX = 4;

export interface Submitted {
  readonly id: number;
  readonly verdict: Promise<Verdict>;
}

export class EnginePool implements Intake {
  readonly #ports: PoolPorts;
  readonly #arena: Arena;
  readonly #rooms: Rooms;
  readonly #held = new HeldBodies();
  readonly #outbox: Outbox;
  readonly #current = new SharedArrayBuffer(8);
  #host: EngineHost | undefined;
  /** Configurations by generation: the one that blocks arrive under now, and those that the engine was told since. */
  readonly #configs = new Map<number, EngineConfig>();
  #generation = 1;
  #activeGeneration = 1;
  #progress: Progress[][] = [];
  #lastFormat: BodyFormat | undefined;
  /** Bytes of the bodies that are not judged yet. */
  #backlogBytes = 0;
  #nextId = 1;
  #nextSeq = 1;
  readonly #questions = new Questions((message) => this.#post(message));
  #restartsInRow = 0;
  #restarts = 0;
  #closed = false;
  #closing: Promise<void> | undefined;
  /** What the engine said last, and that as it is asked for. */
  #said:
    | { readonly stats: readonly number[]; readonly aggregation: AggregationStats | undefined }
    | undefined;
  #stats: EngineStats | undefined;
  /** The first body of which the engine still holds something; undefined while it holds none. */
  #outFrom: number | undefined;
  /** Messages with bodies that the dead engine had, and that this one has not yet seen. */
  #toCatchUp = 0;
  #cancelRestart: (() => void) | undefined;
  readonly aggregation: StateKeeper;
  /** The number of the last body or output that the engine looked at. */
  #reached = 0;

  /** `restored`: the state of aggregation that an earlier run left. */
  constructor(config: EngineConfig, ports: PoolPorts, restored?: Uint8Array) {
    this.#configs.set(1, config);
    this.#ports = ports;
    this.aggregation = new StateKeeper({
      ...ports,
      tick: (isLate) => this.#tick(isLate),
      save: (memory) => void this.#ticketed('save', memory),
      restored,
    });
    this.aggregation.isActive = isAggregating(config.shape);
    this.#arena = new Arena({
      added: (index, memory) => this.#post({ kind: 'slab', index, memory }),
      removed: (index) => this.#post({ kind: 'forget-slab', index }),
    });
    this.#rooms = new Rooms(this.#arena);
    this.#outbox = new Outbox(ports.clock, (message) => this.#post(message));
    this.#resetProgress();
    this.#startHost();
  }

  get stats(): EngineStats | undefined {
    this.#stats ??= this.#said && statsOf(this.#said.stats, this.#said.aggregation);
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

  get hasRoom(): boolean {
    return this.#backlogBytes < BACKLOG_BYTES_MAX;
  }

  /** The first body that a new engine would need, or that has no verdict; undefined when there is none. */
  get firstHeld(): number | undefined {
    return this.#held.first?.id;
  }

  /** All that was made of the bodies before it is out in blocks, but for what aggregation holds. */
  get firstInWork(): number {
    if (this.#toCatchUp > 0) return 0;
    if (this.#outFrom !== undefined) return this.#outFrom;
    for (const { id, settle } of this.#held) if (settle !== undefined) return id;
    return this.#nextId;
  }

  reserve(byteLength: number): Room | undefined {
    return this.#rooms.open(byteLength);
  }

  submit(body: Body): Promise<Verdict> {
    return this.#submit(body).verdict;
  }

  /** A body that is kept elsewhere: it is not committed. Its number is known at once; 0 when it was not taken. */
  replay(body: Body, replayed: Replayed): Submitted {
    return this.#submit(body, replayed);
  }

  #submit(body: Body, replayed?: Replayed): Submitted {
    const { clock } = this.#ports;
    if (this.#closed) {
      const verdict = Promise.resolve(
        unavailable('the relay is shutting down; send it again to another instance'),
      );
      return { id: 0, verdict };
    }
    const { slab, offset, length } = this.#rooms.keep(body);
    const id = this.#nextId++;
    const verdict = new Promise<Verdict>((settle) => {
      const held = this.#held.add({
        slab,
        offset,
        length,
        id,
        format: this.#formatOf(body),
        client: body.client,
        receivedMs: replayed?.receivedMs ?? clock.monotonicMs(),
        settle,
        origin: replayed?.origin ?? 'client',
        isTaken: replayed?.isTaken ?? false,
        arrivedMs: replayed?.arrivedMs ?? clock.nowMs(),
      });
      this.#backlogBytes += length;
      this.#outbox.add(held);
    });
    return { id, verdict };
  }

  /** The format of the last body when this one has the same, so that a message holds each once. */
  #formatOf({ encoding, protocol, extraLabels, tenant, arrival }: Body): BodyFormat {
    const last = this.#lastFormat;
    const isSame =
      last?.encoding === encoding &&
      last.protocol === protocol &&
      (last.extraLabels === extraLabels || last.extraLabels.length + extraLabels.length === 0) &&
      last.tenant === tenant &&
      last.arrival === arrival;
    if (!isSame) this.#lastFormat = { encoding, protocol, extraLabels, tenant, arrival };
    return this.#lastFormat!;
  }

  /** Blocks that are begun are finished under the old configuration first. Returns the new generation. */
  configure(config: EngineConfig): number {
    this.#configs.set(++this.#generation, config);
    this.#outbox.send();
    this.#post({ kind: 'configure', generation: this.#generation, config, nowMs: this.#ports.clock.nowMs() });
    return this.#generation;
  }

  /** Undefined when the engine does not get to answer. */
  report(): Promise<EngineReport | undefined> {
    return this.#host === undefined ? Promise.resolve(undefined) : this.#questions.report();
  }

  /** Resolves when everything submitted so far is out in blocks. */
  flush(): Promise<void> {
    return this.#ticketed('flush');
  }

  /** Windows of aggregation may be over from now on: everything of an earlier run was replayed. */
  wake(): void {
    this.aggregation.wake();
  }

  #ticketed(kind: 'flush' | 'save', memory?: StateMemory): Promise<void> {
    // Bodies that came before go before.
    this.#outbox.send();
    return this.#questions.ask(kind, memory);
  }

  #tick(isLate: boolean): void {
    this.#outbox.send();
    this.#post({ kind: 'tick', nowMs: this.#ports.clock.nowMs(), isLate });
  }

  /**
   * Takes no more bodies, puts all that were taken into blocks, and ends the thread. When the engine dies again and again
   * meanwhile, it gives up: `heldBodies` are those that did not get out. The state of aggregation is told last, or is not
   * kept: then rules tell what they tell at their end.
   */
  close(keepsState = true): Promise<void> {
    this.#closing ??= this.#close(keepsState);
    return this.#closing;
  }

  async #close(keepsState: boolean): Promise<void> {
    this.#closed = true;
    this.aggregation.stop();
    this.#outbox.send();
    if (!keepsState) this.#post({ kind: 'finish' });
    const flushed = this.#ticketed(this.aggregation.isActive ? 'save' : 'flush');
    if (this.#cancelRestart !== undefined) this.#restart();
    await flushed;
    const host = this.#host;
    this.#host = undefined;
    this.#questions.reported(undefined);
    await host?.end();
  }

  #post(message: ToEngine): void {
    this.#host?.post(message);
  }

  #startHost(): void {
    const { module, startHost } = this.#ports;
    this.#cancelRestart = undefined;
    this.#host = startHost(
      { module, current: this.#current },
      {
        onMessage: (message) => {
          if (message.kind === 'report') this.#questions.reported(message);
          else this.#onMessage(message);
        },
        onEnd: (failure) => this.#onDeath(failure),
        isBehind: () => this.#ports.isBehind?.() ?? false,
      },
    );
    for (const { index, memory } of this.#arena.slabs()) this.#post({ kind: 'slab', index, memory });
    const [active, ...newer] = this.#configs;
    assert(active !== undefined, 'there is always a configuration in force');
    const nowMs = this.#ports.clock.nowMs();
    const isFirst = this.#said === undefined;
    const resume = { state: this.aggregation.state, countedTo: this.#reached, isFirst };
    const [generation, config] = active;
    this.#post({ kind: 'configure', generation, config, progress: this.#progress, resume, nowMs });
    // Everything that is not out yet goes again, in order: what the dead engine had, and what still waited for it.
    this.#toCatchUp = this.#outbox.restart([...this.#held]);
    // What the dead engine had told since the last request is told to nobody again, before anything changes.
    this.aggregation.restarted();
    for (const [later, changed] of newer) {
      this.#post({ kind: 'configure', generation: later, config: changed, nowMs });
    }
    this.#questions.repeat();
  }

  #onMessage(message: FromEngine): void {
    this.#restartsInRow = 0;
    this.#said = { stats: message.stats, aggregation: message.aggregation };
    this.#stats = undefined;
    if (message.generation !== this.#activeGeneration) {
      this.#configs.delete(this.#activeGeneration);
      this.#activeGeneration = message.generation;
      this.#resetProgress(message.reached + BODY_STEP);
      const config = this.#configs.get(message.generation);
      this.aggregation.isActive = isAggregating(config?.shape);
    }
    this.#reached = Math.max(this.#reached, message.reached);
    const { told, observed, dropped, noted } = message;
    const { examples = [], blocks = [], accepted = [], refused = [] } = message;
    if (told !== undefined) this.#ports.onTold?.(told, message.generation);
    if (observed !== undefined) this.#ports.onObserved?.(observed);
    if (dropped !== undefined) this.#ports.onDropped(droppedOf(dropped), message.generation);
    for (const { body, ...example } of examples) {
      this.#ports.onDropExample({ ...example, client: this.#held.get(body)?.client ?? '' });
    }
    for (const block of blocks) this.#onBlock(block);
    const notes = noted && new Map(noted.map((note) => [note.id, note.notes]));
    for (let at = 0; at < accepted.length; at += ACCEPTED_FIELDS) {
      const id = accepted[at]!;
      this.#onAccepted(id, countsAt(accepted, at + 1), notes?.get(id));
    }
    for (const refusal of refused) this.#onRefused(refusal);
    this.#toCatchUp = Math.max(0, this.#toCatchUp - message.batches);
    this.aggregation.took(message, this.#arena.storedBytes);
    this.#outFrom = message.heldFrom;
    this.#releaseDone();
    if (message.tickets !== undefined) this.#questions.answered(message.tickets);
    this.#outbox.done(message.batches);
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
      firstBody: message.firstBody,
      memory: new BlockMemory(),
    });
  }

  #onAccepted(id: number, counts: Counts, notes: ParseNotes | undefined): void {
    const held = this.#held.get(id);
    // Accepted before the engine was started again.
    if (held?.settle === undefined || held.isCommitting) return;
    const { origin, client } = held;
    this.#ports.onAccepted({ id, counts, origin, client, generation: this.#activeGeneration });
    const { commit } = this.#ports;
    const verdict: Verdict = { ok: true, counts, notes };
    if (commit === undefined || origin !== 'client') {
      this.#takeSettle(held)(verdict);
      return;
    }
    held.isCommitting = true;
    const { format, arrivedMs } = held;
    commit({ id, format, bytes: this.#arena.bytesOf(held), counts, arrivedMs }).then(
      () => this.#committed(held, verdict),
      () => this.#committed(held, unavailable('it could not be written to the journal; send it again')),
    );
  }

  #committed(held: Held, verdict: Verdict): void {
    if (held.settle !== undefined) this.#takeSettle(held)(verdict);
    this.#releaseDone();
  }

  #onRefused({ id, status, reason, error }: Refusal): void {
    const held = this.#held.get(id);
    if (held?.settle === undefined) return;
    this.#takeSettle(held)({ ok: false, status, reason, error });
  }

  /**
   * Gives back what no new engine would need: it has its verdict, and is out in blocks and in the state of aggregation. What
   * was refused, or is rerouted, stays until then, too: outputs are numbered by what came before them.
   */
  #releaseDone(): void {
    const before = Math.min(this.firstInWork, this.aggregation.neededFrom);
    for (;;) {
      const held = this.#held.first;
      if (held === undefined || held.id >= before || held.settle !== undefined) return;
      this.#arena.free(held);
      this.#held.recycle(held);
    }
  }

  #resetProgress(body = 0): void {
    const groups = this.#configs.get(this.#activeGeneration)?.groups ?? [];
    this.#progress = groups.map(({ parallel }) =>
      Array.from({ length: parallel }, () => ({ body, series: 0, sample: 0 })),
    );
  }

  #onDeath(failure: unknown): void {
    this.#host = undefined;
    this.#outbox.hold();
    this.#questions.reported(undefined);
    if (this.#closed && this.#held.size === 0) {
      this.#questions.giveUp();
      return;
    }
    this.#restarts++;
    const current = new Float64Array(this.#current);
    const culprit = this.#held.get(current[0]!);
    current[0] = 0;
    this.#ports.log.error('the engine died; it is started again and goes on with the requests it had', {
      error: failure === undefined ? 'it ended by itself' : messageOf(failure),
      stack: failure instanceof Error ? failure.stack : undefined,
      client: culprit?.client,
    });
    this.aggregation.died(culprit !== undefined, this.#reached);
    if (culprit !== undefined && ++culprit.deaths >= DEATHS_MAX) this.#quarantine(culprit);
    const delayMs = Math.min(RESTART_DELAY_MS * 2 ** this.#restartsInRow++, RESTART_DELAY_MS_MAX);
    this.#cancelRestart = this.#ports.clock.after(delayMs, () => this.#startHost());
    // The timer keeps no process alive, and one that is stopping has nothing else that does.
    if (this.#closed) this.#restart();
  }

  /** Starts the engine without waiting; gives up where that does not help. */
  #restart(): void {
    this.#cancelRestart?.();
    this.#cancelRestart = undefined;
    if (this.#restartsInRow <= RESTARTS_AT_CLOSE_MAX) {
      this.#startHost();
      return;
    }
    this.#ports.log.error('the engine dies again and again; requests that it had are given up', {
      requests: this.#held.size,
    });
    this.#questions.giveUp();
  }

  #quarantine(held: Held): void {
    this.#ports.onQuarantined(this.#arena.bytesOf(held).slice(), held.client);
    if (held.settle !== undefined) {
      this.#takeSettle(held)({
        ok: false,
        status: 400,
        reason: 'quarantined',
        error:
          'cannot process the request: it made the engine fail twice; it was kept in the quarantine directory, please report it',
      });
    }
    this.#arena.free(held);
    // The journal may still have it in hand.
    this.#held.remove(held);
  }

  #takeSettle(held: Held): (verdict: Verdict) => void {
    const { settle } = held;
    assert(settle !== undefined, 'a body is judged once');
    held.settle = undefined;
    this.#backlogBytes -= held.length;
    return settle;
  }
}
