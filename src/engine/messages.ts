/**
 * Everything that crosses between the main thread and an engine, with its owner. Objects are not changed once they were posted: an engine
 * on the main thread has the same ones.
 *
 * Bodies lie in shared slabs (`arena.ts`): the main thread writes a body there before it tells the engine, keeps it
 * until the engine says that nothing of it is left inside, and never changes it in between; the engine only reads.
 * Block bytes that the engine made are transferred: they belong to the main thread from then on.
 */
import type { LaneProgress } from '../encode/group.ts';
import type { Codec } from '../model/block.ts';
import type { Arrival, BodyEncoding, Counts, Label, ParseNotes, Tenant } from '../model/body.ts';
import type { DropReason } from '../model/drops.ts';
import type { OptionValues } from '../protocol/protocol.ts';
import type { TalkersReport } from '../series/talkers.ts';
import type { StateMemory } from '../transform/state/bytes.ts';
import type { StageStats } from './aggregation-stage.ts';
import type { ShapeConfig } from './shape.ts';
import type { DropExample } from './shaper.ts';
import type { Outputs, StageObservation } from './stages.ts';

/** What all destinations of a group have in common, so that one block serves them all. */
export interface GroupConfig {
  readonly codec: Codec;
  /** zstd level; 0 means zstd's default (3). */
  readonly level: number;
  /** Whether the group takes metadata. */
  readonly metadata: boolean;
  /** Whether it takes no native histograms, no exemplars. */
  readonly withoutHistograms?: boolean;
  readonly withoutExemplars?: boolean;
  /** Whether somebody in it takes the start of samples (remote write 2.0); they go along for all groups then. */
  readonly takesStarts?: boolean;
  /** Number of blocks with disjoint series that are filled side by side; 1 keeps all series in one block. */
  readonly parallel: number;
  /** Index into `ShapeConfig.forms`: 0 if absent. */
  readonly form?: number;
  /** Its number among the shards; undefined when it gets every series. */
  readonly shard?: number | undefined;
}

export interface EngineConfig {
  readonly groups: readonly GroupConfig[];
  /** Absent: every series goes on as it came. */
  readonly shape?: ShapeConfig | undefined;
  readonly maxRowsPerBlock: number;
  readonly maxBlockBytes: number;
  readonly maxMetadataPerBlock: number;
  readonly flushIntervalMs: number;
  readonly bodyBytesMax: number;
  /** Memory for what is decided about series; 512 MiB if absent. */
  readonly planBytesMax?: number;
  /** Memory for what is known of series otherwise; absent: what the tables have use for. */
  readonly seriesBytesMax?: number;
  /** Whether a small part of that is enough where series that are not known cost little. */
  readonly sparesSeriesMemory?: boolean;
  /** Absent: only remote write comes in. */
  readonly protocolOptions?: OptionValues;
}

/** What bodies have in common; nearly always one a message. */
export interface BodyFormat {
  readonly encoding: BodyEncoding;
  readonly protocol: string;
  readonly extraLabels: readonly Label[];
  readonly tenant?: Tenant | undefined;
  /** For the parser of the protocol. */
  readonly arrival?: Arrival | undefined;
}

/** A body in the shared slabs. Ids rise by one in the order of admission. */
export interface BodyRef extends BodyFormat {
  readonly id: number;
  readonly slab: number;
  readonly offset: number;
  readonly length: number;
  /** It was judged before the engine was started again: what it drops is counted already. */
  readonly isJudged?: boolean;
  /** When it came, in wall time: what aggregation goes by. Absent where nothing is aggregated. */
  readonly arrivedMs?: number;
  /** The state that aggregation was restored with has its samples. */
  readonly isTaken?: boolean;
}

/** What aggregation and deduplication hold. */
export interface EngineState {
  /** A checkpoint (`transform/aggregate/checkpoint.ts`), at the front of its memory; the engine does not write there any more. */
  readonly bytes: Uint8Array;
  /** It holds all bodies up to this number, and all outputs up to it are out in blocks. */
  readonly at: number;
}

/** Where a new engine goes on. */
export interface EngineResume {
  readonly state: EngineState | undefined;
  /** What has a number up to this one was counted by the engine before. */
  readonly countedTo: number;
  /** It is the first engine of the process: what the state counted, another process did. */
  readonly isFirst?: boolean;
}

/** How far a lane of a group has come. After a crash the next engine starts there: nothing is sent twice or left out. */
export type Progress = LaneProgress;

export type ToEngine =
  | { readonly kind: 'slab'; readonly index: number; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'forget-slab'; readonly index: number }
  | {
      readonly kind: 'configure';
      readonly generation: number;
      readonly config: EngineConfig;
      /** [group][lane]; absent at a change of configuration, where every lane starts with what comes next. */
      readonly progress?: readonly (readonly Progress[])[];
      /** Absent at a change of configuration. */
      readonly resume?: EngineResume;
      readonly nowMs: number;
    }
  | {
      readonly kind: 'bodies';
      /** id, slab, offset, length, index of the format, flags and time of arrival, body after body: objects cost more than small bodies do. */
      readonly fields: readonly number[];
      /** Absent: those of the message before. */
      readonly formats?: readonly BodyFormat[];
    }
  | { readonly kind: 'flush'; readonly ticket: number }
  /** Time went by: windows may be over. `isLate`: for the first time since a pause of the program. */
  | { readonly kind: 'tick'; readonly nowMs: number; readonly isLate: boolean }
  /** As `flush`, and asks for the state of aggregation; in `memory`, which is its own until it answers. */
  | { readonly kind: 'save'; readonly ticket: number; readonly memory?: StateMemory | undefined }
  /** The state of aggregation will not be kept: what is to be told at the end is told. */
  | { readonly kind: 'finish' }
  /** Asks for an `EngineReport`. */
  | { readonly kind: 'report' };

export interface BlockMessage {
  readonly group: number;
  readonly lane: number;
  readonly codec: Codec;
  /** The block is `memory[offset …]`; the memory is transferred. */
  readonly memory: ArrayBuffer;
  readonly offset: number;
  readonly length: number;
  readonly rawLength: number;
  readonly counts: Counts;
  readonly slots: number;
  /** The body that the block begins with: its age is the block's. */
  readonly firstBody: number;
  readonly progress: Progress;
}

export const BODY_FIELDS = 7;
/** Flags of a body. */
export const IS_JUDGED = 1;
export const IS_TAKEN = 2;

/** The protocol of bodies that went through the engine before, for other destinations: they are placed, and no more. */
export const REROUTED = 'rerouted';

/** A body that is refused. */
export interface Refusal {
  readonly id: number;
  readonly status: 400 | 413;
  readonly reason: 'malformed' | 'too_large';
  readonly error: string;
}

/** What became of a body. */
export type Judged =
  | { readonly id: number; readonly counts: Counts; readonly notes?: ParseNotes | undefined }
  | Refusal;

/** What was dropped of the bodies of a message. */
export interface Dropped {
  /** The group whose destinations do not get it; undefined: none does. */
  readonly group: number | undefined;
  readonly reason: DropReason;
  readonly counts: Counts;
}

/** What aggregation and deduplication told. */
export interface Told {
  /** The group whose destinations get it; undefined: all are offered it. */
  readonly group: number | undefined;
  readonly kind: Outputs['kind'];
  readonly samples: number;
}

/** An answer of the engine, or news; what it has none of is absent, for each property costs some 100 ns on either thread. */
export interface FromEngine {
  readonly kind: 'done';
  /** The number of the last body or output that was looked at. */
  readonly reached: number;
  /** Every body with a smaller id has left the engine; absent while it holds none. */
  readonly heldFrom?: number;
  /** The number of `bodies` messages that are finished. */
  readonly batches: number;
  /** Set after a `configure`: blocks of this and later messages belong to that configuration. */
  readonly generation: number;
  /** All but what they say of aggregation; see `numbers.ts`. */
  readonly stats: readonly number[];
  readonly aggregation?: AggregationStats;
  /** id, series, samples, histograms, exemplars and metadata of accepted bodies, one after another. */
  readonly accepted?: readonly number[];
  /** What parsers have to say of some of them. */
  readonly noted?: readonly { readonly id: number; readonly notes: ParseNotes }[];
  readonly refused?: readonly Refusal[];
  /** See `numbers.ts`. */
  readonly dropped?: readonly number[];
  readonly told?: readonly Told[];
  readonly observed?: readonly StageObservation[];
  readonly state?: EngineState;
  /** How long it took to save, in milliseconds; with `state`. */
  readonly saveMs?: number;
  /** What of aggregation could not be restored. */
  readonly problems?: readonly string[];
  readonly examples?: readonly DropExample[];
  readonly blocks?: readonly BlockMessage[];
  /** Answers to `flush`. */
  readonly tickets?: readonly number[];
}

export interface ShapingStats {
  /** Memory of the plans of all series. */
  readonly planBytes: number;
  /** How often the way of a series was decided: at the first sight of its outline, and again after a reload. */
  readonly decided: number;
  /** Samples that came too early for their time. */
  readonly futureSamples: number;
  /** Series of the running hour and day, where they are limited. */
  readonly hourlySeries: number;
  readonly dailySeries: number;
}

export interface EngineStats {
  readonly memoryBytes: number;
  readonly seriesTableSize: number;
  readonly seriesTableCapacity: number;
  /** Counts of samples (all kinds) that wait in unfinished blocks, by group. */
  readonly pending: readonly Counts[];
  readonly lanes: { readonly verbatim: number; readonly join: number; readonly column: number };
  readonly shaping: ShapingStats;
  /** Undefined when nothing is aggregated. */
  readonly aggregation: AggregationStats | undefined;
}

export interface AggregationStats {
  readonly nextFlushMs: number;
  /** By place: now and then, and whenever blocks were flushed. */
  readonly stages: readonly StageStats[] | undefined;
}

/**
 * The start data of an engine. `current` is one f64: the id of the body that is being worked on, else 0. The main
 * thread reads it only after the engine's end, so no atomics are needed.
 */
export interface EngineStart {
  readonly module: WebAssembly.Module;
  readonly current: SharedArrayBuffer;
}

/** What people ask the engine now and then. */
export interface EngineReport {
  readonly kind: 'report';
  readonly talkers: TalkersReport;
  /** Series that came lately, as people write them: a sample. */
  readonly lately: readonly string[];
}

export const ACCEPTED_FIELDS = 6;
