/**
 * Fills one block: compressed streams (snappy only) and uncompressed messages, in order of arrival. Engine thread only.
 *
 * Uncompressed messages collect in `tail`, a region of linear memory. Snappy looks for repetitions within 64 KiB, so whole
 * pieces of that size are compressed after each body, while the processor's caches hold them; the rest when the block is
 * taken, or when a verbatim stream follows, since the order of a series' samples must stay.
 */
import { constants, zstdCompressSync } from 'node:zlib';
import type { Kernel } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import type { Codec, SlotMask } from '../model/block.ts';
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import { freeOwned } from '../util/free-buffer.ts';
import { encodeVarint } from '../util/varint.ts';
import { type BlockLimits, LABELS_PER_ROW_MAX } from './lane.ts';
import { type Parcel, rowsOf } from './parcel.ts';

/** Room before the streams for the length preamble of the whole block: a varint of at most 5 bytes. */
const PREAMBLE_BYTES = 8;
const FIRST_STREAM_BYTES = 256 * 1024;
/** Snappy looks for repetitions within such pieces. */
export const SNAPPY_WINDOW_BYTES = 64 * 1024;

export interface BuiltBlock {
  readonly memory: ArrayBuffer;
  readonly offset: number;
  readonly length: number;
  readonly rawLength: number;
  readonly counts: Counts;
  readonly firstBody: number;
}

export class BlockBuilder {
  readonly slots: SlotMask;
  readonly #kernel: Kernel;
  readonly #codec: Codec;
  readonly #level: number;
  readonly #limits: BlockLimits;
  readonly #tail: Region;
  #tailLength = 0;
  #streams = new Uint8Array(0);
  #streamsEnd = PREAMBLE_BYTES;
  #rawLength = 0;
  #counts: Counts = { ...noCounts };
  #labels = 0;
  #firstBody = 0;
  #bornMs = 0;

  constructor(kernel: Kernel, codec: Codec, level: number, slots: SlotMask, limits: BlockLimits) {
    this.#kernel = kernel;
    this.#codec = codec;
    this.#level = level;
    this.slots = slots;
    this.#limits = limits;
    // Pages that are never touched cost nothing, so every builder reserves the largest block that it aims at.
    this.#tail = new Region(kernel.memory);
    this.#tail.reserve(limits.rawBytesMax);
  }

  /** Gives its memory back; the builder is empty and is not used any more. */
  close(): void {
    this.#tail.free();
  }

  /** Makes room in an empty block for a single item that is larger than blocks should be: it goes out alone. */
  makeRoom(byteLength: number): void {
    this.#tail.reserve(byteLength);
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  get firstBody(): number {
    return this.#firstBody;
  }

  /** Monotonic milliseconds when the block was begun. */
  get bornMs(): number {
    return this.#bornMs;
  }

  get empty(): boolean {
    return this.#rawLength === 0 && this.#tailLength === 0;
  }

  /** Bytes that still fit before compression. */
  get room(): number {
    return this.#limits.rawBytesMax - this.rawLength;
  }

  get rowsLeft(): number {
    return this.#limits.rowsMax - rowsOf(this.#counts);
  }

  get labelsLeft(): number {
    return this.#limits.rowsMax * LABELS_PER_ROW_MAX - this.#labels;
  }

  get metadataLeft(): number {
    return this.#limits.metadataMax - this.#counts.metadata;
  }

  /** No row, label or byte more should come into this block. */
  get full(): boolean {
    return this.rowsLeft <= 0 || this.labelsLeft <= 0 || this.room <= 0;
  }

  fits(parcel: Parcel): boolean {
    return (
      this.empty ||
      (rowsOf(parcel.counts) <= this.rowsLeft &&
        parcel.labels <= this.labelsLeft &&
        parcel.counts.metadata <= this.metadataLeft &&
        parcel.rawLength <= this.room)
    );
  }

  /** Where the next uncompressed bytes go; `room` bytes are free there. */
  get tailEnd(): number {
    return this.#tail.ptr + this.#tailLength;
  }

  /** Bytes of the block before compression. */
  get rawLength(): number {
    return this.#rawLength + this.#tailLength;
  }

  /** Compresses everything that waits (snappy only), so that elements may follow. */
  seal(): void {
    this.#seal(this.#tailLength);
  }

  /** Adds snappy elements that stand for `rawLength` bytes; everything before is sealed. */
  addElements(
    body: number,
    elements: { readonly ptr: number; readonly length: number; readonly rawLength: number },
    counts: Readonly<Counts>,
    labels: number,
    nowMs: number,
  ): void {
    this.#begin(body, nowMs);
    this.#appendStream(elements.ptr, elements.length);
    this.#rawLength += elements.rawLength;
    this.#count(counts, labels);
  }

  addVerbatim(parcel: Parcel, nowMs: number): void {
    this.seal();
    const { elementsPtr: ptr, elementsLength: length, rawLength } = parcel;
    this.addElements(parcel.body, { ptr, length, rawLength }, parcel.counts, parcel.labels, nowMs);
  }

  /** Adds a whole message; nothing is copied when it was decoded at `tailEnd`. */
  addMessage(parcel: Parcel, nowMs: number): void {
    const bytes = this.#kernel.memory.bytes();
    if (parcel.rawPtr !== this.tailEnd) {
      bytes.copyWithin(this.tailEnd, parcel.rawPtr, parcel.rawPtr + parcel.rawLength);
    }
    this.addTail(parcel.body, parcel.rawLength, parcel.counts, parcel.labels, nowMs);
  }

  /** Compresses what need not wait for more; nobody may read what was added any more. */
  compact(): void {
    if (this.#codec === 'snappy') this.#seal(this.#tailLength - (this.#tailLength % SNAPPY_WINDOW_BYTES));
  }

  /** Accounts for bytes that were written at `tailEnd`. */
  addTail(body: number, length: number, counts: Readonly<Counts>, labels: number, nowMs: number): void {
    this.#begin(body, nowMs);
    this.#tailLength += length;
    this.#count(counts, labels);
  }

  #begin(body: number, nowMs: number): void {
    if (!this.empty) return;
    this.#firstBody = body;
    this.#bornMs = nowMs;
  }

  #count(counts: Readonly<Counts>, labels: number): void {
    addCounts(this.#counts, counts);
    this.#labels += labels;
  }

  /** The finished block; the builder starts the next one. */
  take(): BuiltBlock {
    const built = this.#codec === 'zstd' ? this.#takeZstd() : this.#takeSnappy();
    this.#tailLength = 0;
    this.#rawLength = 0;
    this.#counts = { ...noCounts };
    this.#labels = 0;
    return built;
  }

  #takeZstd(): BuiltBlock {
    const message = this.#kernel.memory.bytes().subarray(this.#tail.ptr, this.#tail.ptr + this.#tailLength);
    const options = zstdOptions(this.#level, this.#tailLength);
    const compressed = zstdCompressSync(message, options);
    // The result may lie in a larger buffer; what is handed over for an unknown time is cut to size.
    const memory = new ArrayBuffer(compressed.byteLength);
    new Uint8Array(memory).set(compressed);
    freeOwned(compressed, options.chunkSize);
    return {
      memory,
      offset: 0,
      length: memory.byteLength,
      rawLength: this.#tailLength,
      counts: this.#counts,
      firstBody: this.#firstBody,
    };
  }

  #takeSnappy(): BuiltBlock {
    this.seal();
    const preamble = encodeVarint(this.#rawLength);
    const offset = PREAMBLE_BYTES - preamble.length;
    this.#streams.set(preamble, offset);
    const memory = this.#streams.buffer.transfer(this.#streamsEnd);
    const built = {
      memory,
      offset,
      length: this.#streamsEnd - offset,
      rawLength: this.#rawLength,
      counts: this.#counts,
      firstBody: this.#firstBody,
    };
    this.#streams = new Uint8Array(0);
    this.#streamsEnd = PREAMBLE_BYTES;
    return built;
  }

  /** Compresses the first bytes of the tail and puts them behind the streams (snappy only). */
  #seal(byteLength: number): void {
    if (byteLength === 0) return;
    const { memory } = this.#kernel;
    const capacity = this.#kernel.snappyMaxLength(byteLength);
    const target = memory.alloc(capacity);
    const length = this.#kernel.snappyEncode(this.#tail.ptr, byteLength, target);
    const skip = encodeVarint(byteLength).length;
    this.#appendStream(target + skip, length - skip);
    memory.free(target, capacity);
    memory.bytes().copyWithin(this.#tail.ptr, this.#tail.ptr + byteLength, this.tailEnd);
    this.#rawLength += byteLength;
    this.#tailLength -= byteLength;
  }

  #appendStream(ptr: number, length: number): void {
    const needed = this.#streamsEnd + length;
    if (needed > this.#streams.byteLength) {
      const grown = Math.max(FIRST_STREAM_BYTES, needed, this.#streams.byteLength * 2);
      this.#streams = new Uint8Array(this.#streams.buffer.transfer(grown));
    }
    this.#streams.set(this.#kernel.memory.bytes().subarray(ptr, ptr + length), this.#streamsEnd);
    this.#streamsEnd = needed;
  }
}

/** From this size on the default level is tuned; smaller blocks get smaller with the level's own parameters. */
const TUNED_FROM_BYTES = 1024 * 1024;

/** The compressor's options for a block; why these: docs/decisions/0003-zstd-parameters.md. */
export function zstdOptions(level: number, rawLength: number) {
  // Room for the worst case (ZSTD_compressBound) lets the compressor write its result without buffers of its own.
  return { chunkSize: rawLength + (rawLength >> 8) + 64, params: zstdParameters(level, rawLength) };
}

function zstdParameters(level: number, rawLength: number): Record<number, number> {
  // zlib takes -1 for "not set"; these are the parameters of that level.
  if (level === -1) return { [constants.ZSTD_c_compressionLevel]: -2, [constants.ZSTD_c_targetLength]: 1 };
  if (level !== 0) return { [constants.ZSTD_c_compressionLevel]: level };
  if (rawLength < TUNED_FROM_BYTES) return { [constants.ZSTD_c_compressionLevel]: 3 };
  return {
    [constants.ZSTD_c_compressionLevel]: 3,
    [constants.ZSTD_c_strategy]: constants.ZSTD_fast,
    [constants.ZSTD_c_hashLog]: 13,
    [constants.ZSTD_c_minMatch]: 7,
  };
}
