/** What the engine's main side needs of the relay, and what it tells it. */
import type { Block } from '../model/block.ts';
import type { BodyOrigin, Counts } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { StartHost } from './host.ts';
import type { BodyFormat, Dropped, Told } from './messages.ts';
import type { DropExample } from './shaper.ts';
import type { StageObservation } from './stages.ts';
import type { StateStore } from './state-keeper.ts';

/** What the journal keeps of an accepted body; `bytes` stay until the promise is settled. */
export interface Accepted {
  readonly id: number;
  readonly format: BodyFormat;
  readonly bytes: Uint8Array;
  readonly counts: Readonly<Counts>;
  /** Wall time. */
  readonly arrivedMs: number;
}

/** What is known of a body that is kept elsewhere. */
export interface Replayed {
  readonly origin: Exclude<BodyOrigin, 'client'>;
  /** In monotonic time; now if absent. */
  readonly receivedMs?: number;
  /** When it came to an earlier run, in wall time; now if absent. */
  readonly arrivedMs?: number;
  /** The state that aggregation was restored with has its samples. */
  readonly isTaken?: boolean;
}

/** An accepted body, and the configuration that all of it is treated by. */
export interface Admitted {
  readonly id: number;
  readonly counts: Readonly<Counts>;
  readonly origin: BodyOrigin;
  /** Remote address. */
  readonly client: string;
  readonly generation: number;
}

/** A series that was dropped, for the status page. */
export interface ShownDrop extends Omit<DropExample, 'body'> {
  readonly client: string;
}

export interface PoolPorts {
  readonly clock: Clock;
  readonly log: Logger;
  /** A finished block of a group, under the configuration that was in force when it was begun. */
  readonly onBlock: (group: number, generation: number, block: Block) => void;
  /** Called once a body, before its verdict. */
  readonly onAccepted: (accepted: Admitted) => void;
  /** What the configuration dropped of accepted bodies; called before their `onAccepted`. */
  readonly onDropped: (dropped: readonly Dropped[], generation: number) => void;
  readonly onDropExample: (example: ShownDrop) => void;
  /** What aggregation and deduplication let go of; called before its blocks. */
  readonly onTold?: (told: readonly Told[], generation: number) => void;
  readonly onObserved?: (observed: readonly StageObservation[]) => void;
  /** Gets the state of aggregation, with everything that came out of it before in blocks. */
  readonly states?: StateStore | undefined;
  /** Makes an accepted body as safe as promised before its verdict goes out; without it that is at once. */
  readonly commit?: ((accepted: Accepted) => Promise<void>) | undefined;
  /** A body that killed the engine twice; it may have been acknowledged before. */
  readonly onQuarantined: (body: Uint8Array, client: string) => void;
  readonly module: WebAssembly.Module;
  readonly startHost: StartHost;
  /** Whether more blocks wait than are on their way. */
  readonly isBehind?: () => boolean;
}
