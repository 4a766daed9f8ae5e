/**
 * The way of a body through the engine, on one screen: decode or parse → validate → (series → shape) → blocks of every
 * group.
 * Engine thread only; no sockets, no files.
 */
import { isDeepStrictEqual } from 'node:util';
import { constants, zstdDecompressSync } from 'node:zlib';
import { type FinishedBlock, GroupEncoder } from '../encode/group.ts';
import type { BlockLimits, Lane } from '../encode/lane.ts';
import type { Parcel } from '../encode/parcel.ts';
import type { Columns, Kernel } from '../kernel/kernel.ts';
import { addCounts, type BodyEncoding, type Counts, type Label, noCounts } from '../model/body.ts';
import { type DropReason, dropReasonOf, OTHER_SHARD } from '../model/drops.ts';
import { SeriesTable } from '../series/table.ts';
import { Talkers } from '../series/talkers.ts';
import { messageOf } from '../util/error.ts';
import { freeOwned } from '../util/free-buffer.ts';
import { encodeVarint } from '../util/varint.ts';
import { BodyParser } from './body-parser.ts';
import { ZSTD_WINDOW_LOG_MAX } from './content.ts';
import {
  type BlockMessage,
  type BodyRef,
  type Dropped,
  type EngineConfig,
  type EngineReport,
  type EngineStats,
  type Judged,
  type Progress,
  REROUTED,
} from './messages.ts';
import { placingOnly, type ShapeConfig } from './shape.ts';
import { type DropExample, Shaper } from './shaper.ts';

/** Bodies that shrank by no more than this are decoded in one piece, which is given back at once. */
const ZSTD_RATIO_COMMON = 32;

/** The age of series is told in these. */
const EPOCH_MS = 60_000;
/** A series leaves the table when it was not seen for 60 to 70 epochs: an hour bridges a restart of its target. */
const SWEEP_EPOCHS = 10;
const EPOCHS_KEPT = 60;
/** While plans take more than their share of the memory: many series come once and never again. */
const EPOCHS_KEPT_CROWDED = 5;

/**
 * What a single request may hold. Real series take 30 bytes or more and real samples 12, so no request of a real sender
 * within 32 MiB reaches these; empty ones of 2 bytes would make 40 times their size in rows and columns.
 */
const SERIES_MAX = 1_000_000;
const SAMPLES_MAX = 4_000_000;
const METADATA_MAX = 1_000_000;

/** Blocks of an earlier run, which may have had larger limits. */
const REROUTED_BYTES_MAX = 64 * 1024 * 1024;

const NO_SHAPING = { planBytes: 0, decided: 0, futureSamples: 0, hourlySeries: 0, dailySeries: 0 };

/** What is wrong with a body, for the client. */
interface Flaw {
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
  #parser!: BodyParser;
  #epochMs: number | undefined;
  #blocks: BlockMessage[] = [];
  #input = { ptr: 0, capacity: 0 };
  #scratch = { ptr: 0, capacity: 0 };
  #suffix = { ptr: 0, capacity: 0 };
  readonly #talkers: Talkers;
  #nextBody = 1;
  /** Whether the body at hand is. */
  #isRerouted = false;
  /** Undefined when series go on as they come. */
  #shaper: Shaper | undefined;
  /** For bodies that were shaped before; made when the first one comes. */
  #placer: Shaper | undefined;
  /** What was dropped since the last answer, by group (-1: for all) and reason. */
  readonly #dropped = new Map<string, Dropped>();
  /** The group in whose open block the body at hand was decoded. */
  #host: GroupEncoder | undefined;

  constructor(kernel: Kernel, config: EngineConfig, progress?: readonly (readonly Progress[])[]) {
    this.#kernel = kernel;
    this.#columns = kernel.createColumns();
    this.#table = new SeriesTable(kernel);
    this.#talkers = new Talkers(kernel);
    this.#config = config;
    if (config.shape !== undefined) this.#shaper = new Shaper(kernel, config.shape, config);
    this.#build(progress);
  }

  #build(progress?: readonly (readonly Progress[])[]): void {
    const limits: BlockLimits = {
      rowsMax: this.#config.maxRowsPerBlock,
      rawBytesMax: this.#config.maxBlockBytes,
      metadataMax: this.#config.maxMetadataPerBlock,
    };
    this.#parser = new BodyParser({ protocolOptions: {}, ...this.#config });
    this.#groups = this.#config.groups.map((config, group) => {
      const options = { ...config, ...this.#shaper?.encodingOf(config) };
      return new GroupEncoder(this.#kernel, options, limits, progress?.[group], (block) =>
        this.#emit(group, block),
      );
    });
  }

  /** Finishes every block of the old configuration; what comes next follows the new one. */
  configure(config: EngineConfig): void {
    this.flush();
    for (const group of this.#groups) group.close();
    if (!isDeepStrictEqual(config.shape, this.#config.shape)) this.#reshape(config.shape);
    this.#config = config;
    this.#build();
  }

  #reshape(shape: ShapeConfig | undefined): void {
    const before = this.#shaper;
    before?.close();
    this.#placer?.close();
    this.#placer = undefined;
    if (shape === undefined) this.#shaper = undefined;
    else {
      this.#shaper = new Shaper(this.#kernel, shape, {
        planBytesMax: this.#config.planBytesMax,
        limits: before?.limitsFor(shape),
      });
    }
  }

  /** `wire` is only read during the call. `nowMs` is monotonic. */
  accept(body: BodyRef, wire: Uint8Array, nowMs: number, wallMs = nowMs): Judged {
    this.#nextBody = body.id + 1;
    this.#isRerouted = body.protocol === REROUTED;
    this.#forgetIdle(nowMs);
    const parsed = this.#parser.parse(body, wire);
    if (parsed !== undefined && 'error' in parsed) return { id: body.id, ...parsed };
    const decoded = parsed === undefined ? this.#decode(wire, body.encoding) : this.#place(parsed.message);
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
    const excess = excessOf(found.counts);
    if (excess !== undefined) return { id: body.id, status: 413, reason: 'too_large', error: excess };
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
      isShaped: this.#isRerouted,
    };
    this.#route(this.#settled(parcel), body, nowMs, wallMs);
    return { id: body.id, counts: found.counts, notes: parsed?.notes };
  }

  /** The parcel at a place where nothing is written while the groups look at it. */
  #settled(parcel: Parcel): Parcel {
    const host = this.#host;
    if (host === undefined || host.takesInPlace(parcel)) return parcel;
    const rawPtr = this.#reserve(this.#scratch, parcel.rawLength);
    this.#kernel.memory.bytes().copyWithin(rawPtr, parcel.rawPtr, parcel.rawPtr + parcel.rawLength);
    return { ...parcel, rawPtr };
  }

  #route(parcel: Parcel, body: BodyRef, nowMs: number, wallMs: number): void {
    let scanned = false;
    const columns = () => {
      if (!scanned) {
        const slots = this.#groups.some((group) => group.options.parallel > 1);
        const identity = { ptr: parcel.suffixPtr, length: parcel.suffixLength };
        this.#columns.scan(parcel.rawPtr, parcel.rawLength, this.#table, slots, identity);
        scanned = true;
      }
      return this.#columns;
    };
    const shaper = this.#isRerouted ? this.#placing() : this.#shaper;
    if (shaper !== undefined) {
      const samples = shaper.dropFuture(columns(), wallMs);
      if (samples > 0 && !body.isJudged) this.#drop(undefined, 'too_far_in_future', { ...noCounts, samples });
      shaper.shape(columns(), body.extraLabels, body.id, nowMs);
      if (!body.isJudged) this.#countDrops(this.#columns, shaper);
    }
    // What is placed anew came long ago, and by other names perhaps.
    const isLookedAt = !this.#isRerouted && this.#talkers.note(parcel.counts.samples, nowMs);
    for (const group of this.#groups) this.#lanes[group.add(parcel, columns, nowMs)]++;
    if (this.#isRerouted) return;
    if (scanned) this.#talkers.noteNew(this.#columns.addedCount);
    // What is forwarded as it came leaves no trace in the series table.
    else if (isLookedAt) this.#columns.scan(parcel.rawPtr, parcel.rawLength);
    if (isLookedAt) this.#talkers.observe(this.#columns, nowMs);
  }

  /** For people who ask; `nowMs` is monotonic. */
  report(nowMs: number): EngineReport {
    return { kind: 'report', talkers: this.#talkers.report(nowMs), lately: this.#talkers.lately };
  }

  /** Refs are the same for both shapers, plans are not: each has its own. */
  #placing(): Shaper | undefined {
    const { shape } = this.#config;
    if (shape !== undefined) this.#placer ??= new Shaper(this.#kernel, placingOnly(shape), this.#config);
    return this.#placer;
  }

  #countDrops(columns: Columns, shaper: Shaper): void {
    for (const [group, config] of this.#config.groups.entries()) {
      const { view } = shaper.encodingOf(config);
      for (const [judged, counts] of this.#kernel.judgePlans(columns, view).entries()) {
        if (judged === 0 || counts.series === 0) continue;
        // What is dropped before the destinations is the same for every group.
        const isForAll = judged < OTHER_SHARD;
        if (!isForAll || group === 0) this.#drop(isForAll ? undefined : group, dropReasonOf(judged), counts);
      }
    }
  }

  #drop(group: number | undefined, reason: DropReason, counts: Counts): void {
    const key = `${group}/${reason}`;
    let dropped = this.#dropped.get(key);
    if (dropped === undefined) {
      dropped = { group, reason, counts: { ...noCounts } };
      this.#dropped.set(key, dropped);
    }
    addCounts(dropped.counts, counts);
  }

  /** What was dropped since the last call. */
  takeDropped(): { dropped: Dropped[]; examples: DropExample[] } {
    const dropped = [...this.#dropped.values()];
    this.#dropped.clear();
    return { dropped, examples: this.#shaper?.takeExamples() ?? [] };
  }

  /** Series that were not seen for a while leave the table, so that churn does not fill it. */
  #forgetIdle(nowMs: number): void {
    this.#epochMs ??= nowMs;
    if (nowMs - this.#epochMs < EPOCH_MS) return;
    this.#epochMs = nowMs;
    const epoch = ++this.#table.epoch;
    const isCrowded = this.#shaper?.isCrowded === true || this.#placer?.isCrowded === true;
    if (!isCrowded && epoch % SWEEP_EPOCHS !== 0) return;
    const freed = this.#table.sweep(Math.max(0, epoch - (isCrowded ? EPOCHS_KEPT_CROWDED : EPOCHS_KEPT)));
    this.#shaper?.forget(freed);
    this.#placer?.forget(freed);
  }

  get #bytesMax(): number {
    const { bodyBytesMax } = this.#config;
    return this.#isRerouted ? Math.max(bodyBytesMax, REROUTED_BYTES_MAX) : bodyBytesMax;
  }

  #decode(wire: Uint8Array, encoding: BodyEncoding): Decoded | Flaw {
    if (wire.byteLength > this.#bytesMax) return this.#tooLarge('the body', wire.byteLength);
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

  #decodeSnappy(wire: Uint8Array): Decoded | Flaw {
    const src = this.#reserve(this.#input, wire.byteLength);
    this.#kernel.memory.bytes().set(wire, src);
    const rawLength = this.#kernel.snappyDecodedLength(src, wire.byteLength);
    if (rawLength < 0) return malformed('cannot decode snappy body: it does not begin with a length');
    if (rawLength > this.#bytesMax) return this.#tooLarge('the decoded body', rawLength);
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

  #decodeZstd(wire: Uint8Array): Decoded | Flaw {
    let message: Buffer;
    const chunkSize = Math.max(64, Math.min(wire.byteLength * ZSTD_RATIO_COMMON, this.#bytesMax));
    try {
      message = zstdDecompressSync(wire, {
        chunkSize,
        maxOutputLength: this.#bytesMax,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        return this.#tooLarge('the decoded body');
      }
      return malformed(`cannot decode zstd body: ${messageOf(error)}`);
    }
    const decoded = this.#place(message);
    freeOwned(message, chunkSize);
    return decoded;
  }

  /** Puts a message into linear memory. */
  #place(message: Uint8Array): Decoded {
    const rawPtr = this.#target(message.byteLength);
    this.#kernel.memory.bytes().set(message, rawPtr);
    return { rawPtr, rawLength: message.byteLength, elementsPtr: 0, elementsLength: 0 };
  }

  /** Where a message is decoded to: straight into a block that will hold it, if there is one with room. */
  #target(rawLength: number): number {
    for (const group of this.#groups) {
      const place = group.decodeTarget(rawLength);
      if (place === undefined) continue;
      this.#host = group;
      return place;
    }
    this.#host = undefined;
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

  #tooLarge(what: string, byteLength?: number): Flaw {
    const size = byteLength === undefined ? 'more' : `${byteLength} bytes`;
    return {
      status: 413,
      reason: 'too_large',
      error: `cannot take the request: ${what} has ${size}, the limit is ${this.#bytesMax} bytes; send smaller requests or raise -maxInsertRequestSize`,
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

  /** The first body of which something is in an unfinished block. */
  get heldFrom(): number | undefined {
    return least(this.#groups.map((group) => group.heldFrom));
  }

  /** When the oldest unfinished block was begun, in monotonic milliseconds. */
  get oldestBornMs(): number | undefined {
    return least(this.#groups.map((group) => group.oldestBornMs));
  }

  get stats(): EngineStats {
    return {
      memoryBytes: this.#kernel.memory.bytes().byteLength,
      seriesTableSize: this.#table.size,
      seriesTableCapacity: this.#table.capacity,
      pending: this.#groups.map((group) => group.pending),
      lanes: { ...this.#lanes },
      shaping: this.#shaper?.stats ?? NO_SHAPING,
    };
  }
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** What a message has too much of; undefined when it can be taken. */
function excessOf({ series, samples, metadata }: Counts): string | undefined {
  const found = [
    [series, SERIES_MAX, 'series'] as const,
    [samples, SAMPLES_MAX, 'samples'] as const,
    [metadata, METADATA_MAX, 'metadata entries'] as const,
  ].find(([count, max]) => count > max);
  if (found === undefined) return undefined;
  const [count, max, what] = found;
  return `cannot take the request: it has ${count} ${what}, the limit for one request is ${max}; send smaller requests`;
}

function malformed(error: string): Flaw {
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
