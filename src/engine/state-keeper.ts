/**
 * The main thread's side of aggregation in the engine: tells it the time when windows end, and keeps the last state that it
 * gave, from which a new engine goes on. Bodies that came after that state are needed again until the next one.
 */
import type { StateMemory } from '../transform/state/bytes.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { StageStats } from './aggregation-stage.ts';
import type { EngineState, FromEngine } from './messages.ts';

/** How often the state is saved, at most; and never so often that saving takes more than this part of the time. */
const SAVE_EVERY_MS = 10_000;
const SAVE_SHARE = 0.05;
/** The same when bodies take much memory already: one slow save must not put off the next while they pile up. */
const SAVE_SHARE_URGENT = 0.2;
const URGENT_BYTES = 32 * 1024 * 1024;
/** Bodies that are kept for a new engine take memory: beyond this much, the state is saved sooner. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const SAVE_EVERY_MS_MIN = 100;
/** The wall clock is looked at again after this long, for it may have been set. */
const LOOK_EVERY_MS = 10_000;
/** Deaths in a row that no body is the cause of, until the state is taken for it. */
const DEATHS_MAX = 2;

/** Who keeps states for longer than the engine lives. */
export interface StateStore {
  offer(state: EngineState): void;
  /** A state that was offered and is of no use any more. */
  takeUnused(): EngineState | undefined;
  /** A state is being written, and cannot be given back until it is. */
  readonly isWriting: boolean;
}

export interface StateKeeperPorts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells the engine the time. */
  readonly tick: (isLate: boolean) => void;
  /** Asks the engine for its state, in memory that it may use. */
  readonly save: (memory: StateMemory | undefined) => void;
  readonly states?: StateStore | undefined;
  /** What an earlier run left. */
  readonly restored: Uint8Array | undefined;
}

export class StateKeeper {
  readonly #ports: StateKeeperPorts;
  #isActive = false;
  #state: EngineState | undefined;
  #stages: readonly StageStats[] = [];
  #isAwake = false;
  #nextFlushMs = Number.POSITIVE_INFINITY;
  #reached = 0;
  #isSaving = false;
  #savedMs: number;
  #saveMs = 0;
  #deaths = 0;
  #losses = 0;
  #cancelTick = () => {};

  constructor(ports: StateKeeperPorts) {
    this.#ports = ports;
    this.#savedMs = ports.clock.monotonicMs();
    if (ports.restored !== undefined) this.#state = { bytes: ports.restored, at: 0 };
  }

  /** Whether the configuration in force aggregates or deduplicates anything. */
  get isActive(): boolean {
    return this.#isActive;
  }

  set isActive(isActive: boolean) {
    this.#isActive = isActive;
    if (!isActive) this.#state = undefined;
  }

  /** Where a new engine goes on. */
  get state(): EngineState | undefined {
    return this.#state;
  }

  /** The first body that a new engine would need. */
  get neededFrom(): number {
    if (!this.#isActive) return Number.POSITIVE_INFINITY;
    return this.#state === undefined ? 0 : Math.floor(this.#state.at) + 1;
  }

  /** How often state of a rule, or of all, could not be restored. */
  get losses(): number {
    return this.#losses;
  }

  get stages(): readonly StageStats[] {
    return this.#stages;
  }

  /** The engine answered; `keptBytes` are what bodies take that are kept for a new one. */
  took({ state, saveMs = 0, aggregation, reached, problems = [] }: FromEngine, keptBytes: number): void {
    const { clock, log, states } = this.#ports;
    this.#deaths = 0;
    this.#reached = reached;
    this.#losses += problems.length;
    for (const problem of problems) {
      log.error('a part of the state of aggregation is not restored; what it held is lost', { problem });
    }
    if (state !== undefined) {
      this.#state = state;
      this.#isSaving = false;
      this.#savedMs = clock.monotonicMs();
      this.#saveMs = saveMs;
      states?.offer(state);
    }
    if (!this.#isActive) return;
    if (aggregation?.stages !== undefined) this.#stages = aggregation.stages;
    this.#nextFlushMs = aggregation?.nextFlushMs ?? Number.POSITIVE_INFINITY;
    this.#maybeSave(keptBytes);
    this.#planTick();
  }

  #maybeSave(keptBytes: number): void {
    if (this.#isSaving || !this.#isAwake || this.#reached <= (this.#state?.at ?? 0)) return;
    const everyMs = keptBytes > KEPT_BYTES_MAX ? SAVE_EVERY_MS_MIN : SAVE_EVERY_MS;
    const sinceMs = this.#ports.clock.monotonicMs() - this.#savedMs;
    const share = keptBytes > URGENT_BYTES ? SAVE_SHARE_URGENT : SAVE_SHARE;
    if (sinceMs < Math.max(everyMs, this.#saveMs / share)) return;
    // Memory for a third state is taken only when bodies would take more.
    if (this.#ports.states?.isWriting === true && keptBytes <= URGENT_BYTES) return;
    this.#save();
  }

  #save(): void {
    this.#isSaving = true;
    // What an older state lay in: the next one goes there.
    const unused = this.#ports.states?.takeUnused()?.bytes.buffer;
    this.#ports.save(unused instanceof SharedArrayBuffer ? unused : undefined);
  }

  /** Windows that ended while the program was away are over now. */
  wake(): void {
    this.#isAwake = true;
    if (!this.#isActive) return;
    this.#ports.tick(true);
    // A new engine would not know of this pause.
    this.#save();
  }

  /** A new engine has the requests that it needs; what was told between them by the time is told again by it. */
  restarted(): void {
    if (this.#isAwake && this.#isActive) this.#ports.tick(false);
  }

  #planTick(): void {
    this.#cancelTick();
    if (!this.#isAwake) return;
    const { clock, tick } = this.#ports;
    const waitMs = Math.min(Math.max(1, this.#nextFlushMs - clock.nowMs()), LOOK_EVERY_MS);
    this.#cancelTick = clock.after(waitMs, () => tick(false));
  }

  /** `isBlamed`: a body is taken for the cause. */
  died(isBlamed: boolean, reached: number): void {
    this.#cancelTick();
    this.#isSaving = false;
    if (isBlamed || !this.#isActive || ++this.#deaths < DEATHS_MAX) return;
    this.#deaths = 0;
    this.#losses++;
    this.#state = { bytes: new Uint8Array(0), at: reached };
    this.#ports.log.error(
      'the state of aggregation made the engine die twice; it is given up, and rules begin anew',
      {
        lost: 'what windows and deduplication held',
      },
    );
  }

  stop(): void {
    this.#isAwake = false;
    this.#cancelTick();
  }
}
