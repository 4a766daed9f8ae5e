/**
 * The face of `assembly/elements.ts`: the snappy elements of a message that scanners write, so that it need not be searched for
 * repetitions. What parsers write between the scans is compressed as it is found. Engine thread only.
 */
import { SluiceError } from '../util/error.ts';
import { encodeVarint } from '../util/varint.ts';
import type { Kernel } from './kernel.ts';
import { Region } from './memory.ts';

/** Of what is remembered of lines, some 100 bytes each. Pages that were never written take no memory. */
const ARENA_BYTES = 32 * 1024 * 1024;

/** More is not kept: such a message goes the common way. */
const BYTES_MAX = 32 * 1024 * 1024;
/** Written beyond the end. */
const SLACK = 64;
/** Of what parsers write, beside an eighth of the message: more of it is better compressed with what stands around it. */
const FOREIGN_BYTES_MAX = 16 * 1024;

/** Words of the result of a scan. */
const LENGTH = 7;
const IS_LOST = 8;
const RECALLED = 9;

export interface ElementsFound {
  readonly ptr: number;
  readonly length: number;
  /** Writes what of the message is only in the elements; before that, nobody may read the message. */
  readonly write: () => void;
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
  #recalled = 0;
  /** Where lines are remembered; 0: not yet, undefined: there is no memory for it. */
  #arena: number | undefined = 0;
  readonly #arenaBytes: number;

  constructor(kernel: Kernel, arenaBytes = ARENA_BYTES) {
    this.#kernel = kernel;
    this.#region = new Region(kernel.memory);
    this.#arenaBytes = arenaBytes;
  }

  /** Before every message. */
  begin(isWanted: boolean): void {
    this.#isOn = isWanted;
    this.#length = 0;
    this.#covered = 0;
    this.#foreign = 0;
    this.#base = 0;
    this.#recalled = 0;
    if (isWanted && this.#arena === 0) this.#arena = this.#takeArena();
    this.#kernel.exports.beginText(isWanted ? (this.#arena ?? 0) : 0, this.#arenaBytes);
  }

  #takeArena(): number | undefined {
    try {
      return this.#kernel.memory.allocZeroed(this.#arenaBytes);
    } catch (error) {
      if (error instanceof SluiceError) return undefined;
      throw error;
    }
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Bytes of elements so far. */
  get length(): number {
    return this.#length;
  }

  /** Series of the message that were made of what is remembered of earlier ones. */
  get recalled(): number {
    return this.#recalled;
  }

  /** What comes can go without what came. */
  cut(): void {
    this.#base = this.#covered;
  }

  /** There will be none of the message at `ptr`. */
  drop(ptr: number): void {
    if (this.#isOn) this.#write(ptr, this.#covered);
    this.#isOn = false;
  }

  /**
   * Before a scan that writes up to `byteLength` bytes behind the first `length` of the message at `ptr`.
   * @param context lines mean the same in all scans of one; 0: none are remembered.
   */
  open(ptr: number, length: number, byteLength: number, context: number): void {
    if (this.#isOn) this.#catchUp(ptr, length);
    // Of what was recalled, literals are not joined with those beside them.
    if (this.#isOn) this.#reserve(byteLength + Math.ceil(byteLength / 8));
    const dst = this.#isOn ? this.#region.ptr : 0;
    this.#kernel.exports.openText(dst, this.#length, ptr, ptr + this.#base, context);
  }

  /** After the scan, which wrote so many bytes of the message at `ptr`. */
  taken(ptr: number, byteLength: number): void {
    if (!this.#isOn) return;
    this.#length += this.#kernel.result(LENGTH);
    this.#recalled += this.#kernel.result(RECALLED);
    this.#covered += byteLength;
    if (this.#kernel.result(IS_LOST) !== 0 || this.#length > BYTES_MAX) this.drop(ptr);
  }

  /** Of the whole message; undefined when there are none. */
  finish(ptr: number, length: number): ElementsFound | undefined {
    if (this.#isOn) this.#catchUp(ptr, length);
    if (!this.#isOn) return undefined;
    return { ptr: this.#region.ptr, length: this.#length, write: () => this.#write(ptr, length) };
  }

  /** Writes what of the first `length` bytes of the message is only in their elements. */
  #write(ptr: number, length: number): void {
    const from = this.#region.ptr;
    this.#kernel.exports.writeElements(from, from + this.#length, ptr, ptr + length);
  }

  /** What parsers wrote since the last scan. */
  #catchUp(ptr: number, to: number): void {
    const length = to - this.#covered;
    if (length === 0) return;
    this.#foreign += length;
    if (this.#foreign > FOREIGN_BYTES_MAX + to / 8) {
      this.drop(ptr);
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
