/**
 * The face of `assembly/elements.ts`: the snappy elements of a message that scanners write, so that it need not be searched for
 * repetitions. What parsers write between the scans is compressed as it is found. Engine thread only.
 */
import { encodeVarint } from '../util/varint.ts';
import type { Kernel } from './kernel.ts';
import { Region } from './memory.ts';

/** More is not kept: such a message goes the common way. */
const BYTES_MAX = 32 * 1024 * 1024;
/** Written beyond the end. */
const SLACK = 64;
/** Of what parsers write, beside an eighth of the message: more of it is better compressed with what stands around it. */
const FOREIGN_BYTES_MAX = 16 * 1024;

/** Words of the result of a scan. */
const LENGTH = 7;
const IS_LOST = 8;

export interface ElementsFound {
  readonly ptr: number;
  readonly length: number;
}

export class Elements {
  readonly #kernel: Kernel;
  readonly #region: Region;
  #isOn = false;
  #length = 0;
  /** Bytes of the message that they are the elements of, and those of them that parsers wrote. */
  #covered = 0;
  #foreign = 0;
  /** They refer to nothing of the message before this. */
  #base = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#region = new Region(kernel.memory);
  }

  /** Before every message. */
  begin(isWanted: boolean): void {
    this.#isOn = isWanted;
    this.#length = 0;
    this.#covered = 0;
    this.#foreign = 0;
    this.#base = 0;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Bytes of elements so far. */
  get length(): number {
    return this.#length;
  }

  /** What comes can go without what came. */
  cut(): void {
    this.#base = this.#covered;
  }

  drop(): void {
    this.#isOn = false;
  }

  /** Before a scan that writes up to `byteLength` bytes behind the first `length` of the message at `ptr`. */
  open(ptr: number, length: number, byteLength: number): void {
    if (this.#isOn) this.#catchUp(ptr, length);
    if (this.#isOn) this.#reserve(byteLength + Math.ceil(byteLength / 64));
    this.#kernel.exports.openElements(this.#isOn ? this.#region.ptr + this.#length : 0, ptr + this.#base);
  }

  /** After the scan, which wrote so many bytes. */
  taken(byteLength: number): void {
    if (!this.#isOn) return;
    this.#length += this.#kernel.result(LENGTH);
    this.#covered += byteLength;
    if (this.#kernel.result(IS_LOST) !== 0 || this.#length > BYTES_MAX) this.drop();
  }

  /** Of the whole message; undefined when there are none. */
  finish(ptr: number, length: number): ElementsFound | undefined {
    if (this.#isOn) this.#catchUp(ptr, length);
    return this.#isOn ? { ptr: this.#region.ptr, length: this.#length } : undefined;
  }

  /** What parsers wrote since the last scan. */
  #catchUp(ptr: number, to: number): void {
    const length = to - this.#covered;
    if (length === 0) return;
    this.#foreign += length;
    if (this.#foreign > FOREIGN_BYTES_MAX + to / 8) {
      this.drop();
      return;
    }
    this.#reserve(this.#kernel.snappyMaxLength(length));
    const at = this.#region.ptr + this.#length;
    const encoded = this.#kernel.snappyEncode(ptr + this.#covered, length, at);
    const preamble = encodeVarint(length).length;
    this.#kernel.memory.bytes().copyWithin(at, at + preamble, at + encoded);
    this.#length += encoded - preamble;
    this.#covered = to;
  }

  #reserve(more: number): void {
    const before = this.#region.ptr;
    const ptr = this.#region.reserve(this.#length + more + SLACK);
    // A region that was given up keeps its bytes until the next one is asked for.
    if (ptr !== before) this.#kernel.memory.bytes().copyWithin(ptr, before, before + this.#length);
  }
}
