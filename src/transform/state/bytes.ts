/**
 * State as bytes, for checkpoints: little-endian, written once from front to back and read the same way. Numbers are
 * f64 unless they say otherwise. A reader never believes a length: what does not fit into the bytes that are left is a
 * `DamagedState`, which the owner of the checkpoint catches.
 */
export class DamagedState extends Error {
  override readonly name = 'DamagedState';
}

class TooMuchState extends Error {}

const FIRST_BYTES = 4096;
/** State is bounded by the slots of its owners; this bounds what they save. */
export const STATE_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Memory that a state is written to again and again, and that both threads see: `ArrayBuffer`s of that size that go back and
 * forth make V8 collect each thread's whole heap with every state.
 */
export type StateMemory = SharedArrayBuffer;

/** Of no size yet: it grows where it lies, up to the largest state. */
export function createStateMemory(): StateMemory {
  return new SharedArrayBuffer(0, { maxByteLength: STATE_BYTES_MAX });
}

export class ByteWriter {
  readonly #bytesMax: number;
  #bytes: Buffer;
  #length = 0;

  /** Into `memory`, which is the writer's from now on, and grows where it lies if it can. */
  constructor(
    bytesMax: number = STATE_BYTES_MAX,
    memory: StateMemory | ArrayBuffer = new ArrayBuffer(FIRST_BYTES),
  ) {
    this.#bytesMax = bytesMax;
    this.#bytes = Buffer.from(memory);
  }

  get length(): number {
    return this.#length;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** The first `count` numbers, as they lie in memory: the bits of a NaN survive. */
  numbers(values: Float64Array | Int32Array | Uint32Array | Uint8Array, count = values.length): void {
    const { buffer, byteOffset, byteLength } = values;
    const length = count * values.BYTES_PER_ELEMENT;
    this.#reserve(length);
    // Twice as fast into shared memory as `set`, which copies word by word there.
    Buffer.from(buffer, byteOffset, byteLength).copy(this.#bytes, this.#length, 0, length);
    this.#length += length;
  }

  text(value: string, encoding: 'utf8' | 'latin1' = 'utf8'): void {
    const length = Buffer.byteLength(value, encoding);
    this.u32(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length, encoding);
  }

  blob(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A name, and what `write` writes behind its length; when it is more than fits, nothing is written, and the result is false. */
  entry(name: string, write: (to: ByteWriter) => void): boolean {
    const before = this.#length;
    try {
      this.text(name);
      this.u32(0);
      const start = this.#length;
      write(this);
      this.#bytes.writeUInt32LE(this.#length - start, start - 4);
      return true;
    } catch (error) {
      if (!(error instanceof TooMuchState)) throw error;
      this.#length = before;
      return false;
    }
  }

  /** What was written; shares memory with the writer. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, 0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#bytesMax) throw new TooMuchState();
    const roomy = Math.max(needed, Math.min(this.#bytesMax, Math.ceil(this.#bytes.length * 1.5)));
    this.#bytes = Buffer.from(enlarged(this.#bytes.buffer, roomy));
  }
}

function enlarged(memory: ArrayBufferLike, byteLength: number): ArrayBufferLike {
  if (memory instanceof ArrayBuffer) return memory.transfer(byteLength);
  memory.grow(byteLength);
  return memory;
}

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** Fills the first `count` numbers of `to`, bit for bit. */
  numbers(to: Float64Array | Int32Array | Uint32Array | Uint8Array, count = to.length): void {
    if (count > to.length) throw new DamagedState('more numbers than there is room for');
    const length = count * to.BYTES_PER_ELEMENT;
    const at = this.#take(length);
    new Uint8Array(to.buffer, to.byteOffset, length).set(this.#bytes.subarray(at, at + length));
  }

  text(encoding: 'utf8' | 'latin1' = 'utf8'): string {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.toString(encoding, at, at + length);
  }

  /** A view, no copy. */
  blob(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A number of items of at least `bytesEach`, which must all be there. */
  count(bytesEach: number): number {
    const count = this.u32();
    if (count * bytesEach > this.left) throw new DamagedState('more items than bytes');
    return count;
  }

  /** A u32 that must be the one expected: what was written fits to who reads it. */
  expect(value: number, what: string): void {
    const found = this.u32();
    if (found !== value) throw new DamagedState(`${what} is ${found} and should be ${value}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.left) throw new DamagedState('the bytes end too early');
    this.#at = at + length;
    return at;
  }
}
