/**
 * Label pairs ↔ small integers, so that a label set is a few integers: most pairs are those of many series. With each pair
 * lie its bytes as a field of a remote-write series, which outputs are put together from. A pair stays as long as
 * somebody holds it.
 */
import { moved } from '../../util/free-buffer.ts';
import { encodeVarint } from '../../util/varint.ts';
import { Arena, NO_PIECE } from './arena.ts';
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

/** There is no such pair, or no room for one more. */
export const NO_PAIR = -1;

/** No length of a pair. */
const IS_FREE = -1;
const FIRST_PAIRS = 64;
const BYTES_STEP = 8;
const BYTES_MAX = 1024 * 1024 * 1024;
const METRIC_NAME = '__name__';

export class LabelPairs {
  readonly #ids = new Map<string, Map<string, number>>();
  readonly #names: (string | undefined)[] = [];
  readonly #values: string[] = [];
  readonly #free: number[] = [];
  readonly #arena = new Arena<Uint8Array<ArrayBuffer>>(
    (length) => new Uint8Array(length),
    BYTES_STEP,
    BYTES_MAX,
  );
  #view = new DataView(this.#arena.data.buffer);
  #holds = new Int32Array(FIRST_PAIRS);
  #starts = new Int32Array(FIRST_PAIRS);
  #lengths = new Int32Array(FIRST_PAIRS);
  /** Bytes of the value where the name is that of the metric; -1 elsewhere. */
  #nameLengths = new Int32Array(FIRST_PAIRS);

  /** Pairs that are held. */
  get size(): number {
    return this.#names.length - this.#free.length;
  }

  /** Bytes of columns and texts; the maps come on top. */
  get byteLength(): number {
    return this.#arena.byteLength + this.#holds.byteLength * 4;
  }

  /** The bytes of all pairs; replaced when pairs come. */
  get bytes(): DataView {
    const { buffer } = this.#arena.data;
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }

  /** By id: where in `bytes` the field of the pair begins, and how long it is. Replaced when pairs come. */
  get starts(): Int32Array {
    return this.#starts;
  }

  get lengths(): Int32Array {
    return this.#lengths;
  }

  /** By id: how long the metric name is, which ends the field; -1 for other labels. */
  get nameLengths(): Int32Array {
    return this.#nameLengths;
  }

  nameOf(id: number): string {
    return this.#names[id]!;
  }

  valueOf(id: number): string {
    return this.#values[id]!;
  }

  has(id: number): boolean {
    return id >= 0 && id < this.#names.length && this.#names[id] !== undefined;
  }

  find(name: string, value: string): number {
    return this.#ids.get(name)?.get(value) ?? NO_PAIR;
  }

  /** Holds the pair once more, and makes it if there is none; NO_PAIR when there is no room. */
  hold(name: string, value: string): number {
    const known = this.find(name, value);
    const id = known === NO_PAIR ? this.#add(flat(name), flat(value)) : known;
    if (id !== NO_PAIR) this.#holds[id]! += 1;
    return id;
  }

  /** Holds a pair that is there once more. */
  holdId(id: number): void {
    this.#holds[id]! += 1;
  }

  release(id: number): void {
    this.#holds[id]! -= 1;
    if (this.#holds[id]! > 0) return;
    const name = this.#names[id]!;
    const values = this.#ids.get(name)!;
    values.delete(this.#values[id]!);
    if (values.size === 0) this.#ids.delete(name);
    this.#names[id] = undefined;
    this.#values[id] = '';
    this.#arena.give(this.#starts[id]!, this.#lengths[id]!);
    this.#free.push(id);
  }

  /** As everything lies in memory. Holds are not saved: whoever holds pairs does so again. */
  save(to: ByteWriter): void {
    to.u32(this.#names.length);
    to.numbers(this.#starts, this.#names.length);
    to.numbers(this.#lengths, this.#names.length);
    to.u32(this.#arena.used);
    to.numbers(this.#arena.data, this.#arena.used);
    // The next pairs get these in the same order.
    to.u32(this.#free.length);
    to.numbers(Int32Array.from(this.#free));
  }

  /** Into an object without pairs. */
  load(from: ByteReader): void {
    const limit = from.count(8);
    const starts = new Int32Array(limit);
    from.numbers(starts);
    const lengths = new Int32Array(limit);
    from.numbers(lengths);
    const bytes = new Uint8Array(from.count(1));
    from.numbers(bytes);
    const free = new Int32Array(from.count(4));
    from.numbers(free);
    for (let id = 0; id < limit; id++) {
      this.#names.push(undefined);
      this.#values.push('');
    }
    this.#reserve(limit);
    for (const id of free) {
      if (id < 0 || id >= limit || lengths[id] === IS_FREE)
        throw new DamagedState('a label is free and is not');
      lengths[id] = IS_FREE;
      this.#free.push(id);
    }
    for (let id = 0; id < limit; id++) {
      if (lengths[id] === IS_FREE) continue;
      const field = bytes.subarray(starts[id]!, starts[id]! + lengths[id]!);
      if (field.length !== lengths[id]) throw new DamagedState('a label has no end');
      const { name, value } = decodePair(field);
      const isNew = this.find(name, value) === NO_PAIR;
      if (!isNew || !this.#put(id, name, value)) throw new DamagedState('a label is there twice');
    }
  }

  #add(name: string, value: string): number {
    // What is no valid UTF-16 became another text.
    const known = this.find(name, value);
    if (known !== NO_PAIR) return known;
    const isNew = this.#free.length === 0;
    const id = isNew ? this.#names.length : this.#free.at(-1)!;
    if (isNew) this.#reserve(id + 1);
    if (!this.#put(id, name, value)) return NO_PAIR;
    if (!isNew) this.#free.pop();
    return id;
  }

  /** False when there is no room for the bytes. */
  #put(id: number, name: string, value: string): boolean {
    const field = encodePair(name, value);
    const start = this.#arena.take(field.length);
    if (start === NO_PIECE) return false;
    this.#arena.data.set(field, start);
    this.#names[id] = name;
    this.#values[id] = value;
    this.#holds[id] = 0;
    this.#starts[id] = start;
    this.#lengths[id] = field.length;
    this.#nameLengths[id] = name === METRIC_NAME ? Buffer.byteLength(value) : -1;
    const values = this.#ids.get(name);
    if (values === undefined) this.#ids.set(name, new Map([[value, id]]));
    else values.set(value, id);
    return true;
  }

  #reserve(length: number): void {
    if (length <= this.#holds.length) return;
    const roomy = Math.max(length, Math.ceil(this.#holds.length * 1.5));
    const larger = (from: Int32Array<ArrayBuffer>) => moved(from, new Int32Array(roomy));
    this.#holds = larger(this.#holds);
    this.#starts = larger(this.#starts);
    this.#lengths = larger(this.#lengths);
    this.#nameLengths = larger(this.#nameLengths);
  }
}

/** A text of its own: one that was cut out of a request would keep the whole text alive. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

/** A label field of a remote-write series, in its canonical form: no empty texts. */
export function encodePair(name: string, value: string): Buffer {
  const inner = Buffer.concat([encodeText(0x0a, name), encodeText(0x12, value)]);
  return Buffer.concat([Buffer.from([0x0a]), encodeVarint(inner.length), inner]);
}

/** What `encodePair` made; throws `DamagedState` where it did not. */
function decodePair(field: Uint8Array): { name: string; value: string } {
  const bytes = Buffer.from(field.buffer, field.byteOffset, field.byteLength);
  const texts = { name: '', value: '' };
  for (let at = 1 + varintBytes(bytes, 1); at < bytes.length; ) {
    const key = bytes[at] === 0x0a ? 'name' : 'value';
    const size = varintBytes(bytes, at + 1);
    const start = at + 1 + size;
    at = start + varintAt(bytes, at + 1, size);
    texts[key] = bytes.toString('utf8', start, at);
  }
  if (!encodePair(texts.name, texts.value).equals(bytes)) throw new DamagedState('a label is none');
  return texts;
}

function varintBytes(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end]! > 127) end++;
  return end + 1 - at;
}

function varintAt(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let end = at + size - 1; end >= at; end--) value = value * 128 + (bytes[end]! & 127);
  return value;
}

function encodeText(tag: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([tag]), encodeVarint(bytes.length), bytes]);
}
