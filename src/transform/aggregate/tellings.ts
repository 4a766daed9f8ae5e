/**
 * What a window told at its end and was not written yet: values by group and output, as flat columns. They are taken in one
 * go, so no later sample can change them, and written in slices.
 */

import { freeBuffer, moved } from '../../util/free-buffer.ts';
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import { encodePair } from '../state/label-pairs.ts';
import type { Addition } from '../state/output-writer.ts';
import type { ExtraLabel } from './outputs/output.ts';

const FIRST_TELLINGS = 256;
const NO_BYTES = new Uint8Array(0);

/** What tells the values of a group apart: the output, and perhaps a label. */
export interface Kind extends Addition {
  readonly output: number;
  readonly label: ExtraLabel | undefined;
}

export class Tellings {
  /** The end of the window. */
  flushMs = 0;
  readonly #suffixes: readonly Uint8Array[];
  readonly #kinds: Kind[] = [];
  /** By output, and the value of the label: its number in `#kinds`. */
  readonly #kindOf: readonly Map<string | undefined, number>[];
  #groups = new Int32Array(0);
  #kindNumbers = new Int32Array(0);
  #values = new Float64Array(0);
  #words = new Uint32Array(0);
  #length = 0;
  #told = 0;

  /** By output: what comes behind the metric name. */
  constructor(suffixes: readonly string[]) {
    this.#suffixes = suffixes.map((suffix) => new TextEncoder().encode(suffix));
    this.#kindOf = suffixes.map(() => new Map());
  }

  /** How many there are. */
  get size(): number {
    return this.#length - this.#told;
  }

  get byteLength(): number {
    return this.#values.length * 16;
  }

  /** Makes room for so many more at once. */
  expect(count: number): void {
    if (this.#length + count > this.#values.length) this.#reserve(this.#length + count);
  }

  add(group: number, output: number, value: number, label: ExtraLabel | undefined): void {
    const at = this.#length;
    if (at === this.#values.length) this.#reserve(Math.max(FIRST_TELLINGS, Math.ceil(at * 1.5)));
    this.#groups[at] = group;
    this.#kindNumbers[at] = this.#numberOf(output, label);
    this.#values[at] = value;
    this.#length = at + 1;
  }

  /** The next one: its group, and the words of its value. */
  get group(): number {
    return this.#groups[this.#told]!;
  }

  get kind(): Kind {
    return this.#kinds[this.#kindNumbers[this.#told]!]!;
  }

  get low(): number {
    return this.#words[2 * this.#told]!;
  }

  get high(): number {
    return this.#words[2 * this.#told + 1]!;
  }

  /** The next one is told. Memory goes with the last one: most of the time there is none. */
  next(): void {
    this.#told++;
    if (this.#told === this.#length) this.clear();
  }

  clear(): void {
    this.#length = 0;
    this.#told = 0;
    for (const { buffer } of [this.#groups, this.#kindNumbers, this.#values]) freeBuffer(buffer);
    this.#groups = new Int32Array(0);
    this.#kindNumbers = new Int32Array(0);
    this.#values = new Float64Array(0);
    this.#words = new Uint32Array(0);
  }

  #numberOf(output: number, label: ExtraLabel | undefined): number {
    const numbers = this.#kindOf[output]!;
    const known = numbers.get(label?.value);
    if (known !== undefined) return known;
    const extra = label === undefined ? NO_BYTES : Uint8Array.from(encodePair(label.name, label.value));
    this.#kinds.push({ output, label, suffix: this.#suffixes[output]!, extra });
    numbers.set(label?.value, this.#kinds.length - 1);
    return this.#kinds.length - 1;
  }

  #reserve(length: number): void {
    this.#values = moved(this.#values, new Float64Array(length));
    this.#words = new Uint32Array(this.#values.buffer);
    this.#groups = moved(this.#groups, new Int32Array(length));
    this.#kindNumbers = moved(this.#kindNumbers, new Int32Array(length));
  }

  save(to: ByteWriter): void {
    to.f64(this.flushMs);
    to.u32(this.size);
    if (this.size === 0) return;
    to.u32(this.#kinds.length);
    for (const { output, label } of this.#kinds) {
      to.u32(output);
      to.u32(label === undefined ? 0 : 1);
      if (label === undefined) continue;
      to.text(label.name);
      to.text(label.value);
    }
    to.numbers(this.#groups.subarray(this.#told, this.#length));
    to.numbers(this.#kindNumbers.subarray(this.#told, this.#length));
    to.numbers(this.#values.subarray(this.#told, this.#length));
  }

  /** `isGroup`: whether there is such a group. */
  load(from: ByteReader, isGroup: (group: number) => boolean): void {
    this.flushMs = from.f64();
    const size = from.count(16);
    if (size === 0) return;
    const kinds: number[] = [];
    for (let left = from.count(8); left > 0; left--) {
      const output = from.u32();
      if (output >= this.#suffixes.length) throw new DamagedState('there is no such output');
      kinds.push(
        this.#numberOf(output, from.u32() === 0 ? undefined : { name: from.text(), value: from.text() }),
      );
    }
    this.#reserve(size);
    from.numbers(this.#groups);
    from.numbers(this.#kindNumbers);
    from.numbers(this.#values);
    this.#length = size;
    for (let at = 0; at < size; at++) {
      const kind = kinds[this.#kindNumbers[at]!];
      if (kind === undefined || !isGroup(this.#groups[at]!)) throw new DamagedState("a value is nobody's");
      this.#kindNumbers[at] = kind;
    }
  }
}
