/**
 * The ledger: for each destination, every sample that came in is in exactly one column, so at every quiet moment
 *
 *     received + replayed + taken_over + recovered + aggregated_out + deduplicated_out
 *                        = withheld + quarantined + dropped_* + other_shard
 *                          + aggregated_in + dropped_input + deduplicated_in + restored + in_engine + pending
 *                          + delivered + partly_delivered + rejected + dead_lettered + rerouted
 *                          + dropped_queue_full + damaged + purged + too_old
 *
 * Every column is counted where it happens (`pending` by looking into the queue); none is the rest of the others. Samples, native histograms, exemplars and
 * metadata are counted apart. Main thread only.
 */
import { addCounts, type BodyOrigin, type Counts, noCounts, subtractCounts } from '../model/body.ts';
import type { Outcome, Removal } from '../model/delivery.ts';
import { type DropReason, dropReasons, noDrops } from '../model/drops.ts';

export const kinds = ['samples', 'histograms', 'exemplars', 'metadata'] as const;
export type Kind = (typeof kinds)[number];

/** What a destination can go without. */
export type WithheldKind = Exclude<Kind, 'samples'>;

/** How a block can end at a destination. */
export const ends = [
  'delivered',
  'partly_delivered',
  'rejected',
  'dead_lettered',
  'rerouted',
  'dropped_queue_full',
  'damaged',
  'purged',
  'too_old',
] as const;
export type End = (typeof ends)[number];

export interface LedgerColumn {
  /** As in the metrics: `received`, `delivered`, … */
  readonly column: string;
  readonly counts: Readonly<Counts>;
}

/** One destination's columns. */
export class DestinationLedger {
  /** Acknowledged to clients by this run. */
  readonly received: Counts = { ...noCounts };
  /** Found in the journal at the start: acknowledged by an earlier run that was killed, and perhaps sent in part. */
  readonly replayed: Counts = { ...noCounts };
  /** Taken out of the queue of a destination that is gone, and placed anew (there it is `rerouted`). */
  readonly takenOver: Counts = { ...noCounts };
  /** What aggregation told, and what deduplication let go of; what went in there are columns of `dropped`. */
  readonly aggregatedOut: Counts = { ...noCounts };
  readonly deduplicatedOut: Counts = { ...noCounts };
  /** Metadata, native histograms and exemplars for a destination that takes none. */
  readonly withheld: Counts = { ...noCounts };
  /** Acknowledged, and later what the engine died of or refused when it was replayed; kept in the quarantine directory. */
  readonly quarantined: Counts = { ...noCounts };
  /** What the configuration keeps from this destination, by the reason. */
  readonly dropped: Readonly<Record<DropReason, Counts>> = noDrops();
  /** Found in the data directory at the start: what an earlier run could not deliver. */
  readonly recovered: Counts = { ...noCounts };
  /** Handed to the queue as blocks by this run. */
  readonly routed: Counts = { ...noCounts };
  readonly ended: Readonly<Record<End, Counts>> = {
    delivered: { ...noCounts },
    partly_delivered: { ...noCounts },
    rejected: { ...noCounts },
    dead_lettered: { ...noCounts },
    rerouted: { ...noCounts },
    dropped_queue_full: { ...noCounts },
    damaged: { ...noCounts },
    purged: { ...noCounts },
    too_old: { ...noCounts },
  };

  readonly #byOrigin = { client: this.received, journal: this.replayed, queue: this.takenOver };

  /** What this destination takes none of, whatever comes: it is withheld as soon as it is received. */
  withholds: readonly WithheldKind[] = [];

  /** A body was accepted by the engine. */
  accept(counts: Readonly<Counts>, origin: BodyOrigin = 'client'): void {
    addCounts(this.#byOrigin[origin], counts);
    for (const kind of this.withholds) this.withheld[kind] += counts[kind];
  }

  /** The configuration keeps something that was accepted from this destination. */
  drop(reason: DropReason, counts: Readonly<Counts>): void {
    addCounts(this.dropped[reason], this.#taken(counts));
  }

  /** Without what is withheld. */
  #taken(counts: Readonly<Counts>): Readonly<Counts> {
    if (this.withholds.length === 0) return counts;
    const taken = { ...counts };
    for (const kind of this.withholds) taken[kind] = 0;
    return taken;
  }

  /** Aggregation or deduplication offers samples to this destination. */
  tell(kind: 'aggregated_out' | 'deduplicated_out', samples: number): void {
    const column = kind === 'aggregated_out' ? this.aggregatedOut : this.deduplicatedOut;
    addCounts(column, { ...noCounts, series: samples, samples });
  }

  /** A block of this run came to the queue. */
  route(counts: Readonly<Counts>): void {
    addCounts(this.routed, counts);
  }

  /** A block of an earlier run was found in the data directory. */
  recover(counts: Readonly<Counts>): void {
    addCounts(this.recovered, counts);
  }

  /** A block left the queue for good. */
  end(end: End, counts: Readonly<Counts>): void {
    addCounts(this.ended[end], counts);
  }

  /** A block of these counts ended, perhaps in parts. */
  finish(counts: Readonly<Counts>, outcome: Outcome | Removal): void {
    const rest = { ...counts };
    for (const part of outcome.kind === 'parts' ? outcome.parts : []) {
      subtractCounts(rest, part.counts);
      this.end(part.kind, part.counts);
    }
    this.end(outcome.kind === 'parts' ? 'delivered' : outcome.kind, rest);
  }

  /** Requests of the journal that the engine refuses now. */
  refuse(counts: Readonly<Counts>): void {
    this.accept(counts, 'journal');
    this.quarantine(this.#taken(counts));
  }

  /** What was lost with a request that was acknowledged before the engine died of it. */
  quarantine(counts: Readonly<Counts>): void {
    addCounts(this.quarantined, counts);
  }

  /** What was received and is in no block although the engine, which holds `inEngine`, is through with it. */
  unaccounted(inEngine: Readonly<Counts>): Counts {
    const rest = { ...this.received };
    for (const more of [this.replayed, this.takenOver, this.aggregatedOut, this.deduplicatedOut]) {
      addCounts(rest, more);
    }
    const dropped = { ...noCounts };
    for (const reason of dropReasons) addCounts(dropped, this.dropped[reason]);
    for (const kind of countKeys) {
      rest[kind] -= dropped[kind];
      rest[kind] -= this.withheld[kind] + this.quarantined[kind] + this.routed[kind] + inEngine[kind];
    }
    return rest;
  }

  /** All columns. `inEngine` waits for this destination in unfinished blocks, `pending` in its queue or on the way. */
  columns(inEngine: Readonly<Counts>, pending: Readonly<Counts>): LedgerColumn[] {
    return [
      { column: 'received', counts: this.received },
      { column: 'replayed', counts: this.replayed },
      { column: 'taken_over', counts: this.takenOver },
      { column: 'recovered', counts: this.recovered },
      ...this.#told(),
      { column: 'withheld', counts: this.withheld },
      { column: 'quarantined', counts: this.quarantined },
      ...this.#drops(),
      { column: 'in_engine', counts: inEngine },
      { column: 'pending', counts: pending },
      ...ends.map((end) => ({ column: end, counts: this.ended[end] })),
    ];
  }

  #drops(): LedgerColumn[] {
    return dropReasons.map((reason) => ({
      column: unprefixed.has(reason) ? reason : `dropped_${reason}`,
      counts: this.dropped[reason],
    }));
  }

  #told(): LedgerColumn[] {
    return [
      { column: 'aggregated_out', counts: this.aggregatedOut },
      { column: 'deduplicated_out', counts: this.deduplicatedOut },
    ];
  }

  /** The way to the queues: what came in (`received` to `deduplicated_out`) is the sum of the others. */
  wayToQueue(inEngine: Readonly<Counts>): LedgerColumn[] {
    return [
      { column: 'received', counts: this.received },
      { column: 'replayed', counts: this.replayed },
      { column: 'taken_over', counts: this.takenOver },
      ...this.#told(),
      { column: 'withheld', counts: this.withheld },
      { column: 'quarantined', counts: this.quarantined },
      ...this.#drops(),
      { column: 'in_engine', counts: inEngine },
      { column: 'routed', counts: this.routed },
    ];
  }
}

/** Columns that have the names of their reasons: another destination gets it, or aggregation is about it. */
const unprefixed: ReadonlySet<DropReason> = new Set([
  'other_shard',
  'aggregated_in',
  'dropped_input',
  'deduplicated_in',
  'restored',
]);

const countKeys = ['series', ...kinds] as const;
