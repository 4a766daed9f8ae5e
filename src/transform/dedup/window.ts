/**
 * One sample a series and interval: the one with the highest timestamp wins. Of two with one timestamp the larger value
 * wins, and a stale marker loses against anything; a NaN never wins against what is there. (VictoriaMetrics' storage
 * decides in the same way, so that two relays in a row keep the same sample.)
 *
 * Values are kept as bits, because a stale marker is a NaN that arithmetic would change. A series is a slot.
 */
import { moved } from '../../util/free-buffer.ts';
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

/** Side by side in a row: the timestamp of the sample that is kept, -Infinity for none, and its value. */
const WIDTH = 2;

export class DedupWindow {
  /** Samples that were not kept, or that a better one replaced. */
  dropped = 0;
  readonly #rows: Rows;
  readonly #kept;
  /** By colour: slots that hold a sample, in the order of their first one. */
  readonly #held: HeldSlots[];

  constructor(colours: 1 | 2) {
    this.#rows = new Rows(colours);
    this.#kept = this.#rows.window(Number.NEGATIVE_INFINITY, WIDTH);
    this.#held = Array.from({ length: colours }, () => ({ slots: new Int32Array(0), length: 0 }));
  }

  /** Makes room for slots below `slots`. */
  reserve(slots: number): void {
    this.#rows.reserve(slots);
  }

  fold({ length, colour, series, times, values, words }: DedupSamples): void {
    const kept = this.#kept[colour]!.data;
    const keptWords = new Uint32Array(kept.buffer);
    const held = this.#held[colour]!;
    if (held.length + length > held.slots.length) {
      // No more than there are slots.
      const roomy = Math.min(kept.length / WIDTH, Math.ceil((held.length + length) * 1.5));
      if (roomy > held.slots.length) held.slots = moved(held.slots, new Int32Array(roomy));
    }
    const { slots } = held;
    let heldCount = held.length;
    let dropped = 0;
    for (let i = 0; i < length; i++) {
      const at = WIDTH * series[i]!;
      const word = 2 * at + 2;
      const time = times[i]!;
      const keptTime = kept[at]!;
      if (keptTime === Number.NEGATIVE_INFINITY) slots[heldCount++] = series[i]!;
      else {
        dropped++;
        if (time < keptTime) continue;
        if (time === keptTime) {
          const isStale = keptWords[word + 1] === STALE_HIGH && keptWords[word] === STALE_LOW;
          if (!isStale && !(values[i]! > kept[at + 1]!)) continue;
        }
      }
      kept[at] = time;
      keptWords[word] = words[2 * i]!;
      keptWords[word + 1] = words[2 * i + 1]!;
    }
    this.dropped += dropped;
    held.length = heldCount;
  }

  /** Hands over every sample of a colour, its value as bits, and forgets it. */
  drain(colour: Colour, take: (slot: number, timestampMs: number, low: number, high: number) => void): void {
    const kept = this.#kept[colour]!.data;
    const words = new Uint32Array(kept.buffer);
    const held = this.#held[colour]!;
    for (let nth = 0; nth < held.length; nth++) {
      const slot = held.slots[nth]!;
      const at = WIDTH * slot;
      take(slot, kept[at]!, words[2 * at + 2]!, words[2 * at + 3]!);
      kept[at] = Number.NEGATIVE_INFINITY;
    }
    held.length = 0;
  }

  /** Whether the slot holds a sample of any colour. */
  holds(slot: number): boolean {
    return this.#kept.some(({ data }) => data[WIDTH * slot]! !== Number.NEGATIVE_INFINITY);
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
      const kept = this.#kept[colour]!.data;
      const isHeld = (slot: number) => slot < slots && kept[WIDTH * slot]! > Number.NEGATIVE_INFINITY;
      if (!held.every(isHeld) || new Set(held).size < held.length) {
        throw new DamagedState('a sample that waits has no value');
      }
      this.#held[colour] = { slots: held, length: held.length };
    }
  }
}
