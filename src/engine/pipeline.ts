/**
 * The way of a body through the engine, on one screen: decode → validate → (series) → blocks of every group.
 * Engine thread only; no sockets, no files.
 */
import { constants, zstdDecompressSync } from 'node:zlib';
import { type FinishedBlock, GroupEncoder } from '../encode/group.ts';
import type { BlockLimits, Lane } from '../encode/lane.ts';
import type { Parcel } from '../encode/parcel.ts';
import type { Columns, Kernel } from '../kernel/kernel.ts';
import type { BodyEncoding, Label } from '../model/body.ts';
import { SeriesTable } from '../series/table.ts';
import { messageOf } from '../util/error.ts';
import { encodeVarint } from '../util/varint.ts';
import type {
  BlockMessage,
  BodyRef,
  EngineConfig,
  EngineStats,
  Progress,
  VerdictMessage,
} from './messages.ts';

/** Frames of real senders ask for 8 MiB at most; zstd would allocate whatever a hostile frame asks for. */
const ZSTD_WINDOW_LOG_MAX = 25;

/** What is wrong with a body, for the client. */
interface Refusal {
  readonly status: 400 | 413;
  readonly reason: 'malformed' | 'too_large';
  readonly error: string;
}

/** A decoded body: where the message lies, and where its snappy elements lie if it came as snappy. */
interface Decoded {
  readonly rawPtr: number;
  readonly rawLength: number;
  readonly elementsPtr: number;
  readonly elementsLength: number;
}

export class Pipeline {
  readonly #kernel: Kernel;
  readonly #columns: Columns;
  readonly #table: SeriesTable;
  readonly #lanes: Record<Lane, number> = { verbatim: 0, join: 0, column: 0 };
  #config: EngineConfig;
  #groups: GroupEncoder[] = [];
  #blocks: BlockMessage[] = [];
  #input = { ptr: 0, capacity: 0 };
  #scratch = { ptr: 0, capacity: 0 };
  #suffix = { ptr: 0, capacity: 0 };
  #nextBody = 1;

  constructor(kernel: Kernel, config: EngineConfig, progress?: readonly (readonly Progress[])[]) {
    this.#kernel = kernel;
    this.#columns = kernel.createColumns();
    this.#table = new SeriesTable(kernel);
    this.#config = config;
    this.#build(progress);
  }

  #build(progress?: readonly (readonly Progress[])[]): void {
    const limits: BlockLimits = {
      rowsMax: this.#config.maxRowsPerBlock,
      rawBytesMax: this.#config.maxBlockBytes,
      metadataMax: this.#config.maxMetadataPerBlock,
    };
    this.#groups = this.#config.groups.map(
      (options, group) =>
        new GroupEncoder(this.#kernel, options, limits, progress?.[group], (block) =>
          this.#emit(group, block),
        ),
    );
  }

  /** Finishes every block of the old configuration; what comes next follows the new one. */
  configure(config: EngineConfig): void {
    this.flush();
    for (const group of this.#groups) group.close();
    this.#config = config;
    this.#build();
  }

  /** `wire` is only read during the call. */
  accept(body: BodyRef, wire: Uint8Array, nowMs: number): VerdictMessage {
    this.#nextBody = body.id + 1;
    const decoded = this.#decode(wire, body.encoding);
    if ('error' in decoded) return { id: body.id, ...decoded };
    const found = this.#kernel.validateWriteRequest(decoded.rawPtr, decoded.rawLength);
    if ('error' in found) {
      return {
        id: body.id,
        status: 400,
        reason: 'malformed',
        error: `cannot parse remote write request of ${decoded.rawLength} bytes at byte ${found.at}: ${found.error}`,
      };
    }
    const suffix = this.#writeSuffix(body.extraLabels);
    const parcel: Parcel = {
      body: body.id,
      ...decoded,
      counts: found.counts,
      labels: found.labels + found.counts.series * body.extraLabels.length,
      everySeriesHasData: found.everySeriesHasData,
      suffixPtr: suffix.ptr,
      suffixLength: suffix.length,
      suffixLabels: body.extraLabels.length,
    };
    this.#route(parcel, nowMs);
    return { id: body.id, counts: found.counts };
  }

  #route(parcel: Parcel, nowMs: number): void {
    let scanned = false;
    const columns = () => {
      if (!scanned) {
        const hashed = this.#groups.some((group) => group.options.parallel > 1);
        this.#columns.scan(parcel.rawPtr, parcel.rawLength, this.#table, hashed);
        scanned = true;
      }
      return this.#columns;
    };
    for (const group of this.#groups) this.#lanes[group.add(parcel, columns, nowMs)]++;
  }

  #decode(wire: Uint8Array, encoding: BodyEncoding): Decoded | Refusal {
    if (wire.byteLength > this.#config.bodyBytesMax) return this.#tooLarge('the body', wire.byteLength);
    if (encoding === 'zstd-or-snappy') {
      const zstd = this.#decodeZstd(wire);
      if (!('error' in zstd) || zstd.status === 413) return zstd;
      const snappy = this.#decodeSnappy(wire);
      return 'error' in snappy && snappy.status === 400 ? zstd : snappy;
    }
    const snappy = this.#decodeSnappy(wire);
    if (!('error' in snappy) || !looksLikeZstd(wire)) return snappy;
    return this.#decodeZstd(wire);
  }

  #decodeSnappy(wire: Uint8Array): Decoded | Refusal {
    const src = this.#reserve(this.#input, wire.byteLength);
    this.#kernel.memory.bytes().set(wire, src);
    const rawLength = this.#kernel.snappyDecodedLength(src, wire.byteLength);
    if (rawLength < 0) return malformed('cannot decode snappy body: it does not begin with a length');
    if (rawLength > this.#config.bodyBytesMax) return this.#tooLarge('the decoded body', rawLength);
    const target = this.#target(rawLength);
    if (this.#kernel.snappyDecode(src, wire.byteLength, target, rawLength) !== rawLength) {
      return malformed(`cannot decode snappy body: ${this.#kernel.snappyError()}`);
    }
    const preamble = wire.findIndex((byte) => byte < 128) + 1;
    return {
      rawPtr: target,
      rawLength,
      elementsPtr: src + preamble,
      elementsLength: wire.byteLength - preamble,
    };
  }

  #decodeZstd(wire: Uint8Array): Decoded | Refusal {
    let message: Buffer;
    try {
      message = zstdDecompressSync(wire, {
        maxOutputLength: this.#config.bodyBytesMax,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        return this.#tooLarge('the decoded body');
      }
      return malformed(`cannot decode zstd body: ${messageOf(error)}`);
    }
    const target = this.#target(message.byteLength);
    this.#kernel.memory.bytes().set(message, target);
    return { rawPtr: target, rawLength: message.byteLength, elementsPtr: 0, elementsLength: 0 };
  }

  /** Where a message is decoded to: straight into a block that will hold it, if there is one with room. */
  #target(rawLength: number): number {
    for (const group of this.#groups) {
      const place = group.decodeTarget(rawLength);
      if (place !== undefined) return place;
    }
    return this.#reserve(this.#scratch, rawLength);
  }

  #reserve(region: { ptr: number; capacity: number }, byteLength: number): number {
    if (byteLength > region.capacity) {
      if (region.capacity > 0) this.#kernel.memory.free(region.ptr, region.capacity);
      region.capacity = Math.max(1024 * 1024, 2 ** Math.ceil(Math.log2(byteLength + 64)));
      region.ptr = this.#kernel.memory.alloc(region.capacity);
    }
    return region.ptr;
  }

  #tooLarge(what: string, byteLength?: number): Refusal {
    const size = byteLength === undefined ? 'more' : `${byteLength} bytes`;
    return {
      status: 413,
      reason: 'too_large',
      error: `cannot take the request: ${what} has ${size}, the limit is ${this.#config.bodyBytesMax} bytes; send smaller requests or raise -maxInsertRequestSize`,
    };
  }

  /** Encodes extra labels as label fields of a TimeSeries. */
  #writeSuffix(labels: readonly Label[]): { ptr: number; length: number } {
    if (labels.length === 0) return { ptr: 0, length: 0 };
    const bytes = Buffer.concat(labels.map(encodeLabel));
    const ptr = this.#reserve(this.#suffix, bytes.byteLength);
    this.#kernel.memory.bytes().set(bytes, ptr);
    return { ptr, length: bytes.byteLength };
  }

  flush(): void {
    this.flushBornBefore(Number.POSITIVE_INFINITY);
  }

  /** Finishes the blocks that were begun at or before this monotonic time. */
  flushBornBefore(monotonicMs: number): void {
    for (const group of this.#groups) group.flush(monotonicMs, this.#nextBody);
  }

  #emit(group: number, block: FinishedBlock): void {
    this.#blocks.push({ group, ...block });
  }

  /** The blocks that were finished since the last call. */
  takeBlocks(): BlockMessage[] {
    const blocks = this.#blocks;
    this.#blocks = [];
    return blocks;
  }

  get heldFrom(): number | undefined {
    const held = this.#groups.map((group) => group.heldFrom).filter((id) => id !== undefined);
    return held.length === 0 ? undefined : Math.min(...held);
  }

  get stats(): EngineStats {
    return {
      memoryBytes: this.#kernel.memory.bytes().byteLength,
      seriesTableSize: this.#table.size,
      seriesTableCapacity: this.#table.capacity,
      pending: this.#groups.map((group) => group.pending),
      lanes: { ...this.#lanes },
    };
  }
}

function malformed(error: string): Refusal {
  return { status: 400, reason: 'malformed', error };
}

function looksLikeZstd(wire: Uint8Array): boolean {
  return wire[0] === 0x28 && wire[1] === 0xb5 && wire[2] === 0x2f && wire[3] === 0xfd;
}

function encodeLabel({ name, value }: Label): Buffer {
  const inner = Buffer.concat([encodeField(0x0a, name), encodeField(0x12, value)]);
  return Buffer.concat([Buffer.from([0x0a]), encodeVarint(inner.byteLength), inner]);
}

function encodeField(tag: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.byteLength === 0) return bytes;
  return Buffer.concat([Buffer.from([tag]), encodeVarint(bytes.byteLength), bytes]);
}
