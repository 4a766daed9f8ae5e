/**
 * Counts of `vmrange` buckets by group. The counts of a decade get a place with the first value in it, since the values
 * of a group rarely span more than a few.
 */

import { BUCKETS, DECADES, PER_DECADE } from '../../util/vm-buckets.ts';
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import type { Column, Rows } from '../state/columns.ts';

const FIRST_PLACES = 16;

export class Buckets {
  readonly #below: Column;
  readonly #above: Column;
  /** By group and decade: the place of its counts, plus 1; 0 for none. */
  readonly #decades: Column;
  #counts = new Float64Array(FIRST_PLACES * PER_DECADE);
  #places = 0;
  readonly #free: number[] = [];

  constructor(groups: Rows) {
    this.#below = groups.column();
    this.#above = groups.column();
    this.#decades = groups.column(0, DECADES);
  }

  add(group: number, bucket: number, count: number): void {
    if (bucket < 0) this.#below.data[group]! += count;
    else if (bucket >= BUCKETS) this.#above.data[group]! += count;
    else {
      const decade = group * DECADES + Math.floor(bucket / PER_DECADE);
      const place = this.#decades.data[decade]! || this.#take(decade);
      this.#counts[(place - 1) * PER_DECADE + (bucket % PER_DECADE)]! += count;
    }
  }

  /** The buckets of a group that are not empty, in rising order. */
  each(group: number, tell: (bucket: number, count: number) => void): void {
    if (this.#below.data[group]! > 0) tell(-1, this.#below.data[group]!);
    for (let decade = 0; decade < DECADES; decade++) {
      const place = this.#decades.data[group * DECADES + decade]!;
      if (place === 0) continue;
      for (let offset = 0; offset < PER_DECADE; offset++) {
        const count = this.#counts[(place - 1) * PER_DECADE + offset]!;
        if (count > 0) tell(decade * PER_DECADE + offset, count);
      }
    }
    if (this.#above.data[group]! > 0) tell(BUCKETS, this.#above.data[group]!);
  }

  /** Empties a group; before its row is cleared. */
  clear(group: number): void {
    this.#below.data[group] = 0;
    this.#above.data[group] = 0;
    for (let decade = group * DECADES; decade < (group + 1) * DECADES; decade++) {
      const place = this.#decades.data[decade]!;
      if (place === 0) continue;
      this.#counts.fill(0, (place - 1) * PER_DECADE, place * PER_DECADE);
      this.#free.push(place);
      this.#decades.data[decade] = 0;
    }
  }

  get byteLength(): number {
    return this.#counts.byteLength;
  }

  save(to: ByteWriter): void {
    to.u32(this.#places);
    to.numbers(this.#counts, this.#places * PER_DECADE);
    to.u32(this.#free.length);
    to.numbers(Int32Array.from(this.#free));
  }

  /** After the columns. */
  load(from: ByteReader): void {
    const places = from.count(PER_DECADE * 8);
    if (this.#decades.data.some((place) => !(place <= places)))
      throw new DamagedState('a bucket has no place');
    this.#counts = new Float64Array(Math.max(FIRST_PLACES, places) * PER_DECADE);
    from.numbers(this.#counts, places * PER_DECADE);
    this.#places = places;
    const free = new Int32Array(from.count(4));
    from.numbers(free);
    for (const place of free) this.#free.push(place);
  }

  #take(decade: number): number {
    const place = this.#free.pop() ?? this.#append();
    this.#decades.data[decade] = place;
    return place;
  }

  #append(): number {
    this.#places++;
    if (this.#places * PER_DECADE > this.#counts.length) {
      const larger = new Float64Array(this.#counts.length * 2);
      larger.set(this.#counts);
      this.#counts = larger;
    }
    return this.#places;
  }
}
