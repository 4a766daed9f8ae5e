/**
 * The groups and series of one rule: their slots, the rows of state that belong to them, and how long they live. A
 * *target* is what the samples of an input series go to: the slot of its group, or, where series are told apart, the slot
 * of its series, which knows its group. Where every series is a group of its own, both are one.
 *
 * Slots outlive their samples as long as a ref points to them (`pin`); `sweep` empties what is stale, and releases what
 * nobody needs.
 */
import type { Labels } from '../../model/labels.ts';
import { moved } from '../../util/free-buffer.ts';
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import { type Colour, Rows } from '../state/columns.ts';
import { LabelPairs, NO_PAIR } from '../state/label-pairs.ts';
import type { Samples } from '../state/samples.ts';
import { NO_SLOT, SlotTable } from '../state/slots.ts';
import type { Grouping } from './grouping.ts';

export interface RuleStateOptions {
  readonly tellsSeries: boolean;
  /** Whether an output reads how many samples a group had. */
  readonly countsSamples?: boolean;
  readonly grouping: Grouping;
  readonly colours: 1 | 2;
  /** The most groups, and the most series. */
  readonly slotsMax: number;
}

/** What else has state for a slot. */
export interface SweepPorts {
  clearGroup(group: number): void;
  /** Forgets a counter that is stale. */
  forgetCounter(series: number): void;
  /** Whether samples wait for the target. */
  isHeld(target: number): boolean;
}

const FIRST_LABELS = 64;
/** What a sweep knows of a group: it has no state, has some, or lives. */
const IS_EMPTY = 0;
const HAS_STATE = 1;
const LIVES = 2;

export class RuleState {
  /** What the words of keys are. */
  readonly pairs = new LabelPairs();
  /** By the labels that groups are told with. */
  readonly groups: SlotTable;
  /** By group and input labels; undefined when nothing needs them, or each is its group. */
  readonly series: SlotTable | undefined;
  readonly groupRows: Rows;
  readonly seriesRows: Rows;
  readonly counterRows: Rows;
  /** Samples by group in the window; undefined when nobody asks. */
  readonly sampleCounts;
  /** The groups that live, since the last sweep. */
  alive = new Int32Array(0);
  /** By target: wall time in ms from which it is stale; -Infinity when it has no state. */
  readonly #deadlines;
  /** By group, where series are told apart: a group lives as long as one of them. */
  #groups = new Uint8Array(0);
  #groupOf = new Int32Array(0);
  readonly #grouping: Grouping;
  /** The keys of the series that is being placed. */
  #groupKey = new Int32Array(FIRST_LABELS);
  #seriesKey = new Int32Array(FIRST_LABELS);

  constructor({ tellsSeries, countsSamples = true, grouping, colours, slotsMax }: RuleStateOptions) {
    this.#grouping = grouping;
    this.groups = new SlotTable(slotsMax);
    this.series = tellsSeries && !grouping.isIdentity ? new SlotTable(slotsMax) : undefined;
    this.groupRows = new Rows(colours);
    this.seriesRows = new Rows(colours);
    this.counterRows = new Rows(colours);
    this.sampleCounts = countsSamples ? this.groupRows.window() : undefined;
    const targetRows = this.series === undefined ? this.groupRows : this.seriesRows;
    this.#deadlines = targetRows.column(Number.NEGATIVE_INFINITY);
  }

  /** After all columns were asked for: no more slots than their rows have room for. */
  limitSlots(): void {
    this.groups.limitTo(this.groupRows.rowsMax);
    this.targets.limitTo(Math.min(this.seriesRows.rowsMax, this.counterRows.rowsMax));
  }

  /** The table that targets are slots of. */
  get targets(): SlotTable {
    return this.series ?? this.groups;
  }

  groupOf(target: number): number {
    return this.series === undefined ? target : this.#groupOf[target]!;
  }

  /** The group by target; undefined where both are one. Replaced when series are placed. */
  get groupOfTarget(): Int32Array | undefined {
    return this.series === undefined ? undefined : this.#groupOf;
  }

  /** The target of a series by its normalised labels; NO_SLOT when there is no room. */
  place(labels: Labels): number {
    if (labels.length >= this.#groupKey.length) {
      this.#groupKey = new Int32Array(labels.length * 2);
      this.#seriesKey = new Int32Array(labels.length * 2);
    }
    const known = this.#find(labels);
    return known === NO_SLOT ? this.#add(labels) : known;
  }

  #find(labels: Labels): number {
    const { pairs, series } = this;
    let groupLength = 0;
    let seriesLength = 1;
    for (let index = 0; index < labels.length; index++) {
      const isOfGroup = this.#grouping.isOfGroup(labels.names[index]!);
      if (!isOfGroup && series === undefined) continue;
      const id = pairs.find(labels.names[index]!, labels.values[index]!);
      if (id === NO_PAIR) return NO_SLOT;
      if (isOfGroup) this.#groupKey[groupLength++] = id;
      else this.#seriesKey[seriesLength++] = id;
    }
    const group = this.groups.find(this.#groupKey, groupLength);
    if (group === NO_SLOT || series === undefined) return group;
    this.#seriesKey[0] = group;
    return series.find(this.#seriesKey, seriesLength);
  }

  #add(labels: Labels): number {
    const group = this.#addGroup(labels);
    const { series } = this;
    if (group === NO_SLOT || series === undefined || series.isFull) {
      return series === undefined ? group : NO_SLOT;
    }
    this.#seriesKey[0] = group;
    const length = this.#hold(labels, false, this.#seriesKey, 1);
    const slot = length === NO_PAIR ? NO_SLOT : series.add(this.#seriesKey, length);
    if (slot === NO_SLOT) {
      if (length !== NO_PAIR) this.#release(this.#seriesKey, 1, length);
      return NO_SLOT;
    }
    const { limit } = series;
    this.#reserveSeries(limit);
    if (limit > this.#groupOf.length)
      this.#groupOf = moved(this.#groupOf, new Int32Array(Math.max(64, Math.ceil(limit * 1.5))));
    this.#groupOf[slot] = group;
    this.groups.pin(group);
    return slot;
  }

  #addGroup(labels: Labels): number {
    const length = this.#hold(labels, true, this.#groupKey, 0);
    if (length === NO_PAIR) return NO_SLOT;
    const known = this.groups.find(this.#groupKey, length);
    const slot = known === NO_SLOT ? this.groups.add(this.#groupKey, length) : known;
    if (known !== NO_SLOT || slot === NO_SLOT) this.#release(this.#groupKey, 0, length);
    if (slot === NO_SLOT) return NO_SLOT;
    this.groupRows.reserve(this.groups.limit);
    if (this.series === undefined) this.#reserveSeries(this.groups.limit);
    return slot;
  }

  /** Holds the labels that are, or are not, those of the group; ends of their ids in `key` from `start`, NO_PAIR without room. */
  #hold(labels: Labels, isOfGroup: boolean, key: Int32Array, start: number): number {
    let length = start;
    for (let index = 0; index < labels.length; index++) {
      if (this.#grouping.isOfGroup(labels.names[index]!) !== isOfGroup) continue;
      const id = this.pairs.hold(labels.names[index]!, labels.values[index]!);
      if (id === NO_PAIR) {
        this.#release(key, start, length);
        return NO_PAIR;
      }
      key[length++] = id;
    }
    return length;
  }

  #release(key: Int32Array, start: number, end: number): void {
    for (let index = start; index < end; index++) this.pairs.release(key[index]!);
  }

  #releaseGroup(group: number): void {
    const length = this.groups.read(group);
    this.#release(this.groups.words, 0, length);
    this.groups.release(group);
  }

  #reserveSeries(limit: number): void {
    this.seriesRows.reserve(limit);
    this.counterRows.reserve(limit);
  }

  /** Counts samples, and keeps what they belong to alive until `deadlineMs` at least. */
  touch({ length, groups, series, colour }: Samples, deadlineMs: number): void {
    const counts = this.sampleCounts?.[colour]?.data;
    if (counts !== undefined) for (let i = 0; i < length; i++) counts[groups[i]!]! += 1;
    const deadlines = this.#deadlines.data;
    for (let i = 0; i < length; i++) {
      if (deadlines[series[i]!]! < deadlineMs) deadlines[series[i]!] = deadlineMs;
    }
  }

  /** Empties what is stale, releases what nobody needs, and lists the groups that live; how many they are. */
  sweep(flushMs: number, ports: SweepPorts): number {
    const groupCount = this.#sweepGroups(flushMs, ports);
    const { limit } = this.targets;
    for (let series = 0; series < limit; series++) ports.forgetCounter(series);
    if (this.series !== undefined) this.#sweepSeries(this.series, flushMs, ports);
    return groupCount;
  }

  #sweepGroups(flushMs: number, ports: SweepPorts): number {
    const { limit } = this.groups;
    if (this.alive.length < limit) this.alive = moved(this.alive, new Int32Array(Math.ceil(limit * 1.5)));
    if (this.#groups.length < limit)
      this.#groups = moved(this.#groups, new Uint8Array(Math.ceil(limit * 1.5)));
    this.#look(flushMs);
    let alive = 0;
    for (let group = 0; group < limit; group++) {
      const is = this.#groups[group]!;
      if (!this.groups.isUsed(group)) continue;
      if (is === LIVES) {
        this.#groups[group] = HAS_STATE;
        this.alive[alive++] = group;
        continue;
      }
      if (is === HAS_STATE) this.#clearGroup(group, ports);
      this.#groups[group] = IS_EMPTY;
      const isHeld = this.series === undefined && ports.isHeld(group);
      if (!isHeld && !this.groups.isPinned(group)) this.#releaseGroup(group);
    }
    return alive;
  }

  /** Which groups live. */
  #look(flushMs: number): void {
    const deadlines = this.#deadlines.data;
    const groupOf = this.groupOfTarget;
    const { limit } = this.targets;
    for (let target = 0; target < limit; target++) {
      const deadlineMs = deadlines[target]!;
      if (deadlineMs === Number.NEGATIVE_INFINITY) continue;
      const group = groupOf === undefined ? target : groupOf[target]!;
      if (flushMs <= deadlineMs) this.#groups[group] = LIVES;
      else if (this.#groups[group] === IS_EMPTY) this.#groups[group] = HAS_STATE;
    }
  }

  #clearGroup(group: number, ports: SweepPorts): void {
    ports.clearGroup(group);
    this.groupRows.clear(group);
    if (this.series !== undefined) return;
    this.seriesRows.clear(group);
    this.counterRows.clear(group);
  }

  #sweepSeries(table: SlotTable, flushMs: number, ports: SweepPorts): void {
    const deadlines = this.#deadlines.data;
    for (let series = 0; series < table.limit; series++) {
      if (!table.isUsed(series) || flushMs <= deadlines[series]!) continue;
      if (deadlines[series] !== Number.NEGATIVE_INFINITY) this.seriesRows.clear(series);
      if (table.isPinned(series) || ports.isHeld(series)) continue;
      const length = table.read(series);
      // The first word is the group.
      this.#release(table.words, 1, length);
      table.release(series);
      this.groups.unpin(this.#groupOf[series]!);
    }
  }

  startWindow(colour: Colour): void {
    for (const rows of this.#rows()) rows.startWindow(colour);
  }

  get byteLength(): number {
    const rows = this.#rows().reduce(
      (sum, { byteLength }) => sum + byteLength,
      this.#groupOf.byteLength + this.#groups.byteLength,
    );
    return rows + this.groups.byteLength + (this.series?.byteLength ?? 0) + this.pairs.byteLength;
  }

  save(to: ByteWriter): void {
    this.pairs.save(to);
    this.groups.save(to, this.series === undefined);
    this.groupRows.save(to, this.groups.limit);
    const { limit } = this.targets;
    if (this.series !== undefined) {
      this.series.save(to);
      to.numbers(this.#groupOf, limit);
    }
    this.seriesRows.save(to, limit);
    this.counterRows.save(to, limit);
  }

  /** Into a state without slots. */
  load(from: ByteReader): void {
    this.pairs.load(from);
    this.groups.load(from);
    for (let group = 0; group < this.groups.limit; group++) {
      if (this.groups.isUsed(group)) this.#holdAgain(this.groups, group, 0);
    }
    this.groupRows.load(from, this.groups.limit);
    // Those without state are emptied once more than they need.
    this.#groups = new Uint8Array(this.groups.limit).fill(HAS_STATE);
    if (this.series !== undefined) this.#loadSeries(this.series, from);
    const { limit } = this.targets;
    this.seriesRows.load(from, limit);
    this.counterRows.load(from, limit);
  }

  #loadSeries(table: SlotTable, from: ByteReader): void {
    table.load(from);
    this.#groupOf = new Int32Array(table.limit);
    from.numbers(this.#groupOf);
    for (let slot = 0; slot < table.limit; slot++) {
      if (!table.isUsed(slot)) continue;
      const group = this.#groupOf[slot]!;
      const isGroup = group >= 0 && group < this.groups.limit && this.groups.isUsed(group);
      if (!isGroup || table.read(slot) === 0 || table.words[0] !== group) {
        throw new DamagedState('a series has no group');
      }
      this.#holdAgain(table, slot, 1);
      this.groups.pin(group);
    }
  }

  #holdAgain(table: SlotTable, slot: number, skipped: number): void {
    const length = table.read(slot);
    for (let at = skipped; at < length; at++) {
      if (!this.pairs.has(table.words[at]!)) throw new DamagedState('a key has a label that is not there');
      this.pairs.holdId(table.words[at]!);
    }
  }

  #rows(): Rows[] {
    return [this.groupRows, this.seriesRows, this.counterRows];
  }
}
