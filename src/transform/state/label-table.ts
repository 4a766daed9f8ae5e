/** Slots of whole label sets, for those who need no more of a series than to tell it apart and to have its labels back. */
import type { Labels } from '../../model/labels.ts';
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';
import { LabelPairs, NO_PAIR } from './label-pairs.ts';
import { NO_SLOT, SlotTable } from './slots.ts';

const FIRST_LABELS = 64;

export class LabelTable {
  readonly pairs = new LabelPairs();
  /** Keys are ids of pairs. */
  readonly keys: SlotTable;
  #key = new Int32Array(FIRST_LABELS);

  constructor(capacity: number) {
    this.keys = new SlotTable(capacity);
  }

  /** The slot of labels in this order; NO_SLOT when there is no room. */
  place(labels: Labels): number {
    if (labels.length > this.#key.length) this.#key = new Int32Array(labels.length * 2);
    return this.#find(labels) ?? this.#add(labels);
  }

  #find({ names, values, length }: Labels): number | undefined {
    const key = this.#key;
    for (let index = 0; index < length; index++) {
      const id = this.pairs.find(names[index]!, values[index]!);
      if (id === NO_PAIR) return undefined;
      key[index] = id;
    }
    const slot = this.keys.find(key, length);
    return slot === NO_SLOT ? undefined : slot;
  }

  #add({ names, values, length }: Labels): number {
    if (this.keys.isFull) return NO_SLOT;
    const key = this.#key;
    let held = 0;
    while (held < length) {
      const id = this.pairs.hold(names[held]!, values[held]!);
      if (id === NO_PAIR) break;
      key[held++] = id;
    }
    // A text that was no valid UTF-16 is another one in here.
    const known = held < length ? NO_SLOT : this.keys.find(key, length);
    const slot = held < length || known !== NO_SLOT ? known : this.keys.add(key, length);
    if (known !== NO_SLOT || slot === NO_SLOT) for (let at = 0; at < held; at++) this.pairs.release(key[at]!);
    return slot;
  }

  release(slot: number): void {
    const length = this.keys.read(slot);
    for (let at = 0; at < length; at++) this.pairs.release(this.keys.words[at]!);
    this.keys.release(slot);
  }

  get byteLength(): number {
    return this.pairs.byteLength + this.keys.byteLength;
  }

  save(to: ByteWriter): void {
    this.pairs.save(to);
    this.keys.save(to);
  }

  load(from: ByteReader): void {
    this.pairs.load(from);
    this.keys.load(from);
    for (let slot = 0; slot < this.keys.limit; slot++) {
      if (!this.keys.isUsed(slot)) continue;
      const length = this.keys.read(slot);
      for (let at = 0; at < length; at++) {
        const id = this.keys.words[at]!;
        if (!this.pairs.has(id)) throw new DamagedState('a key has a label that is not there');
        this.pairs.holdId(id);
      }
    }
  }
}
