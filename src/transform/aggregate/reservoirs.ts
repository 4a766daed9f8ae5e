/**
 * A uniform sample of at most 1000 values a group, for one window. Values of all groups lie in one arena; a group begins
 * with room for 8 and moves to a larger place as it fills. When the arena is full, a group goes on with the room that it
 * has: the sample is smaller then, and still uniform.
 */
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import type { Column, Rows } from '../state/columns.ts';

export const RESERVOIR_VALUES_MAX = 1000;
/** Room for a group, in values. */
const ROOMS = [8, 32, 128, 512, RESERVOIR_VALUES_MAX] as const;
const FIRST_VALUES = 4096;
/** 512 MiB: 67,000 groups with full reservoirs. */
const ARENA_VALUES_MAX = 2 ** 26;

export class Reservoirs {
  readonly #counts: Column;
  readonly #rooms: Column;
  readonly #places: Column;
  readonly #smallest: Column;
  readonly #largest: Column;
  readonly #random: Column;
  #arena = new Float64Array(FIRST_VALUES);
  #used = 0;
  /** Places that were left for larger ones, by room. */
  readonly #left = new Map<number, number[]>();

  /** The columns stay until `startWindow`, or until the rows are cleared. */
  constructor(groups: Rows) {
    this.#counts = groups.column();
    this.#rooms = groups.column();
    this.#places = groups.column();
    this.#smallest = groups.column(Number.POSITIVE_INFINITY);
    this.#largest = groups.column(Number.NEGATIVE_INFINITY);
    this.#random = groups.column(1);
  }

  /** Values that were added to the group. */
  count(group: number): number {
    return this.#counts.data[group]!;
  }

  add(group: number, value: number): void {
    const count = this.#counts.data[group]! + 1;
    this.#counts.data[group] = count;
    if (value < this.#smallest.data[group]!) this.#smallest.data[group] = value;
    if (value > this.#largest.data[group]!) this.#largest.data[group] = value;
    let room = this.#rooms.data[group]!;
    if (count === room + 1 && room < RESERVOIR_VALUES_MAX) room = this.#grow(group, room);
    if (count <= room) this.#arena[this.#places.data[group]! + count - 1] = value;
    else this.#replace(group, count, room, value);
  }

  /** The values in rising order; valid until the next call. */
  sorted(group: number): Float64Array {
    const place = this.#places.data[group]!;
    const kept = Math.min(this.#counts.data[group]!, this.#rooms.data[group]!);
    const values = scratch.subarray(0, kept);
    values.set(this.#arena.subarray(place, place + kept));
    return values.sort();
  }

  /** The value at rank floor(φ(n - 1) + ½); at the ends the true smallest and largest. */
  quantile(group: number, sorted: Float64Array, phi: number): number {
    if (phi <= 0) return this.#smallest.data[group]!;
    if (phi >= 1 || sorted.length === 0) return this.#largest.data[group]!;
    return sorted[Math.min(sorted.length - 1, Math.floor(phi * (sorted.length - 1) + 0.5))]!;
  }

  startWindow(): void {
    const columns = [this.#counts, this.#rooms, this.#places, this.#smallest, this.#largest, this.#random];
    for (const { data, initial } of columns) data.fill(initial);
    this.#used = 0;
    this.#left.clear();
  }

  get byteLength(): number {
    return this.#arena.byteLength;
  }

  save(to: ByteWriter): void {
    to.u32(this.#used);
    to.numbers(this.#arena, this.#used);
  }

  /** After the columns. Places that were free in the middle stay so until the next window. */
  load(from: ByteReader): void {
    const used = from.count(8);
    if (used > ARENA_VALUES_MAX) throw new DamagedState('a reservoir is too large');
    this.#arena = new Float64Array(Math.max(FIRST_VALUES, used));
    from.numbers(this.#arena, used);
    this.#used = used;
  }

  /** A larger place with the values so far; the room that the group has now. */
  #grow(group: number, room: number): number {
    const next = ROOMS.find((one) => one > room)!;
    const place = this.#left.get(next)?.pop() ?? this.#allocate(next);
    if (place === undefined) return room;
    const before = this.#places.data[group]!;
    this.#arena.copyWithin(place, before, before + room);
    if (room > 0) {
      const left = this.#left.get(room);
      if (left === undefined) this.#left.set(room, [before]);
      else left.push(before);
    }
    this.#places.data[group] = place;
    this.#rooms.data[group] = next;
    return next;
  }

  #allocate(values: number): number | undefined {
    const place = this.#used;
    const needed = place + values;
    if (needed > ARENA_VALUES_MAX) return undefined;
    if (needed > this.#arena.length) {
      const larger = new Float64Array(Math.min(ARENA_VALUES_MAX, Math.max(needed, this.#arena.length * 2)));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#used = needed;
    return place;
  }

  #replace(group: number, count: number, room: number, value: number): void {
    let random = this.#random.data[group]! | 0;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    random >>>= 0;
    this.#random.data[group] = random;
    const index = Math.floor((random * count) / 2 ** 32);
    if (index < room) this.#arena[this.#places.data[group]! + index] = value;
  }
}

const scratch = new Float64Array(RESERVOIR_VALUES_MAX);
