/**
 * The groups and series of one rule: their slots, the rows of state that belong to them, and how long they live. A
 * *target* is what the samples of an input series go to: the slot of its group, or, where series are told apart, the slot
 * of its series, which knows its group. Where every series is a group of its own, both are one.
 *
 * Slots outlive their samples as long as a ref points to them (`pin`); `sweep` empties what is stale, and releases what
 * nobody needs.
 */
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import { type Colour, Rows } from '../state/columns.ts';
import { fingerprint } from '../state/label-key.ts';
import type { Samples } from '../state/samples.ts';
import { NO_SLOT, SlotTable } from '../state/slots.ts';
import type { Placement } from './grouping.ts';

export interface RuleStateOptions {
  readonly tellsSeries: boolean;
  /** Every series is a group of its own. */
  readonly isIdentity: boolean;
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

export class RuleState {
  readonly groups: SlotTable;
  /** By group and input labels; undefined when nothing needs them, or each is its group. */
  readonly series: SlotTable | undefined;
  readonly groupRows: Rows;
  readonly seriesRows: Rows;
  readonly counterRows: Rows;
  /** Samples by group in the window. */
  readonly sampleCounts;
  /** The groups that live, since the last sweep. */
  alive = new Int32Array(0);
  /** Wall time in ms from which a group, a series is stale; -Infinity when it has no state. */
  readonly #groupDeadlines;
  readonly #seriesDeadlines;
  #groupOf = new Int32Array(0);

  constructor({ tellsSeries, isIdentity, colours, slotsMax }: RuleStateOptions) {
    this.groups = new SlotTable(slotsMax);
    this.series = tellsSeries && !isIdentity ? new SlotTable(slotsMax) : undefined;
    this.groupRows = new Rows(colours);
    this.seriesRows = new Rows(colours);
    this.counterRows = new Rows(colours);
    this.sampleCounts = this.groupRows.window();
    this.#groupDeadlines = this.groupRows.column(Number.NEGATIVE_INFINITY);
    this.#seriesDeadlines = this.series && this.seriesRows.column(Number.NEGATIVE_INFINITY);
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

  /** The target of a series; NO_SLOT when there is no room. */
  place({ group: groupKey, input }: Placement): number {
    const group = this.#groupSlot(groupKey);
    if (group === NO_SLOT || this.series === undefined) return group;
    const key = fingerprint(`${group} ${input}`);
    const known = this.series.find(key);
    if (known !== NO_SLOT) return known;
    const slot = this.series.add(key);
    if (slot === NO_SLOT) return NO_SLOT;
    const { limit } = this.series;
    this.#reserveSeries(limit);
    if (limit > this.#groupOf.length) this.#groupOf = enlarged(this.#groupOf, limit);
    this.#groupOf[slot] = group;
    this.groups.pin(group);
    return slot;
  }

  #groupSlot(key: string): number {
    const known = this.groups.find(key);
    if (known !== NO_SLOT) return known;
    const slot = this.groups.add(key);
    this.groupRows.reserve(this.groups.limit);
    if (this.series === undefined) this.#reserveSeries(this.groups.limit);
    return slot;
  }

  #reserveSeries(limit: number): void {
    this.seriesRows.reserve(limit);
    this.counterRows.reserve(limit);
  }

  /** Counts samples, and keeps what they belong to alive until `deadlineMs` at least. */
  touch({ length, groups, series, colour }: Samples, deadlineMs: number): void {
    const counts = this.sampleCounts[colour]!.data;
    const groupDeadlines = this.#groupDeadlines.data;
    for (let i = 0; i < length; i++) {
      counts[groups[i]!]! += 1;
      if (groupDeadlines[groups[i]!]! < deadlineMs) groupDeadlines[groups[i]!] = deadlineMs;
    }
    if (this.#seriesDeadlines === undefined) return;
    const seriesDeadlines = this.#seriesDeadlines.data;
    for (let i = 0; i < length; i++) {
      if (seriesDeadlines[series[i]!]! < deadlineMs) seriesDeadlines[series[i]!] = deadlineMs;
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
    if (this.alive.length < limit) this.alive = new Int32Array(Math.ceil(limit * 1.5));
    const deadlines = this.#groupDeadlines.data;
    let alive = 0;
    for (let group = 0; group < limit; group++) {
      if (this.groups.key(group) === undefined) continue;
      const deadlineMs = deadlines[group]!;
      if (flushMs <= deadlineMs) {
        this.alive[alive++] = group;
        continue;
      }
      if (deadlineMs !== Number.NEGATIVE_INFINITY) this.#clearGroup(group, ports);
      const isHeld = this.series === undefined && ports.isHeld(group);
      if (!isHeld && !this.groups.isPinned(group)) this.groups.release(group);
    }
    return alive;
  }

  #clearGroup(group: number, ports: SweepPorts): void {
    ports.clearGroup(group);
    this.groupRows.clear(group);
    if (this.series !== undefined) return;
    this.seriesRows.clear(group);
    this.counterRows.clear(group);
  }

  #sweepSeries(table: SlotTable, flushMs: number, ports: SweepPorts): void {
    const deadlines = this.#seriesDeadlines!.data;
    for (let series = 0; series < table.limit; series++) {
      if (table.key(series) === undefined || flushMs <= deadlines[series]!) continue;
      if (deadlines[series] !== Number.NEGATIVE_INFINITY) this.seriesRows.clear(series);
      if (table.isPinned(series) || ports.isHeld(series)) continue;
      table.release(series);
      this.groups.unpin(this.#groupOf[series]!);
    }
  }

  startWindow(colour: Colour): void {
    for (const rows of this.#rows()) rows.startWindow(colour);
  }

  get byteLength(): number {
    return this.#rows().reduce((sum, { byteLength }) => sum + byteLength, this.#groupOf.byteLength);
  }

  save(to: ByteWriter): void {
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
    this.groups.load(from);
    this.groupRows.load(from, this.groups.limit);
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
      if (table.key(slot) === undefined) continue;
      const group = this.#groupOf[slot]!;
      if (this.groups.key(group) === undefined) throw new DamagedState('a series has no group');
      this.groups.pin(group);
    }
  }

  #rows(): Rows[] {
    return [this.groupRows, this.seriesRows, this.counterRows];
  }
}

function enlarged(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(64, Math.ceil(length * 1.5)));
  larger.set(from);
  return larger;
}
