/**
 * One sample a series and interval: the one with the highest timestamp wins. Of two with one timestamp the larger value
 * wins, and a stale marker loses against anything; a NaN never wins against what is there. (VictoriaMetrics' storage
 * decides in the same way, so that two relays in a row keep the same sample.)
 *
 * Values are kept as bits, because a stale marker is a NaN that arithmetic would change. A series is a slot.
 */
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import { type Colour, Rows } from '../state/columns.ts';
import { STALE_HIGH, STALE_LOW } from '../state/samples.ts';

/** What is folded: columns of `length` samples. `words` is the memory of `values`. */
export interface DedupSamples {
  readonly length: number;
  readonly colour: Colour;
  readonly series: Int32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly words: Uint32Array;
}

interface HeldSlots {
  slots: Int32Array<ArrayBuffer>;
  length: number;
}

export class DedupWindow {
  /** Samples that were not kept, or that a better one replaced. */
  dropped = 0;
  readonly #rows: Rows;
  readonly #times;
  readonly #values;
  /** By colour: slots that hold a sample, in the order of their first one. */
  readonly #held: HeldSlots[];

  constructor(colours: 1 | 2) {
    this.#rows = new Rows(colours);
    this.#times = this.#rows.window(Number.NEGATIVE_INFINITY);
    this.#values = this.#rows.window();
    this.#held = Array.from({ length: colours }, () => ({ slots: new Int32Array(0), length: 0 }));
  }

  /** Makes room for slots below `slots`. */
  reserve(slots: number): void {
    this.#rows.reserve(slots);
  }

  fold({ length, colour, series, times, values, words }: DedupSamples): void {
    const keptTimes = this.#times[colour]!.data;
    const keptValues = this.#values[colour]!.data;
    const keptWords = new Uint32Array(keptValues.buffer);
    const held = this.#held[colour]!;
    if (held.length + length > held.slots.length) {
      // No more than there are slots.
      const larger = new Int32Array(Math.min(keptTimes.length, Math.ceil((held.length + length) * 1.5)));
      larger.set(held.slots.subarray(0, held.length));
      held.slots = larger;
    }
    const { slots } = held;
    let heldCount = held.length;
    for (let i = 0; i < length; i++) {
      const slot = series[i]!;
      const time = times[i]!;
      const kept = keptTimes[slot]!;
      if (kept === Number.NEGATIVE_INFINITY) slots[heldCount++] = slot;
      else {
        this.dropped++;
        if (time < kept) continue;
        if (time === kept) {
          const isStale = keptWords[2 * slot + 1] === STALE_HIGH && keptWords[2 * slot] === STALE_LOW;
          if (!isStale && !(values[i]! > keptValues[slot]!)) continue;
        }
      }
      keptTimes[slot] = time;
      keptWords[2 * slot] = words[2 * i]!;
      keptWords[2 * slot + 1] = words[2 * i + 1]!;
    }
    held.length = heldCount;
  }

  /** Hands over every sample of a colour, its value as bits, and forgets it. */
  drain(colour: Colour, take: (slot: number, timestampMs: number, low: number, high: number) => void): void {
    const times = this.#times[colour]!.data;
    const words = new Uint32Array(this.#values[colour]!.data.buffer);
    const held = this.#held[colour]!;
    for (let nth = 0; nth < held.length; nth++) {
      const slot = held.slots[nth]!;
      take(slot, times[slot]!, words[2 * slot]!, words[2 * slot + 1]!);
      times[slot] = Number.NEGATIVE_INFINITY;
    }
    held.length = 0;
  }

  /** Whether the slot holds a sample of any colour. */
  holds(slot: number): boolean {
    return this.#times.some(({ data }) => data[slot]! !== Number.NEGATIVE_INFINITY);
  }

  /** Samples that wait for their flush. */
  get size(): number {
    return this.#held.reduce((sum, { length }) => sum + length, 0);
  }

  sizeOf(colour: Colour): number {
    return this.#held[colour]!.length;
  }

  get byteLength(): number {
    return this.#held.reduce((sum, { slots }) => sum + slots.byteLength, this.#rows.byteLength);
  }

  save(to: ByteWriter, slots: number): void {
    to.f64(this.dropped);
    this.#rows.save(to, slots);
    for (const held of this.#held) {
      to.u32(held.length);
      to.numbers(held.slots, held.length);
    }
  }

  load(from: ByteReader, slots: number): void {
    this.dropped = from.f64();
    this.#rows.load(from, slots);
    for (const [colour] of this.#held.entries()) {
      const held = new Int32Array(from.count(4));
      from.numbers(held);
      const times = this.#times[colour]!.data;
      const isHeld = (slot: number) => slot < slots && times[slot]! > Number.NEGATIVE_INFINITY;
      if (!held.every(isHeld) || new Set(held).size < held.length) {
        throw new DamagedState('a sample that waits has no value');
      }
      this.#held[colour] = { slots: held, length: held.length };
    }
  }
}
