/**
 * The face of the scanners of text protocols (`assembly/text.ts`): takes lines of a body as far as they are written the way
 * senders really write them, and gives the series of them, encoded. Engine thread only.
 *
 * A body is put into linear memory piece by piece, small enough for the cache of the processor; a longer line makes the
 * pieces larger, up to a limit beyond which lines are left to the parser. The series come out in pieces as well.
 */
import { copyBytes } from '../util/copy-bytes.ts';
import { encodeVarint } from '../util/varint.ts';
import { Elements } from './elements.ts';
import type { Kernel } from './kernel.ts';
import { Region } from './memory.ts';

const NEWLINE = 0x0a;
/** Read and written behind a piece. */
const SLACK = 512;
/** Of a piece of the body, and of the series that come out at a time. Regions are powers of two. */
const PIECE_BYTES = 128 * 1024 - SLACK;
/** Longer lines are left to the parser, and those that become more than this. */
const PIECE_BYTES_MAX = 4 * 1024 * 1024 - SLACK;
const SETTINGS_BYTES = 64;
/** What a scan writes at most, unless a line needs more. */
const OUTPUT_BYTES = 512 * 1024;
/** Samples of a line of JSON. */
const VALUES_MAX = 64 * 1024;

const POWER_MIN = -64;
const POWER_MAX = 64;

/** The context of all lines of Prometheus text; what they mean does not depend on the request. */
const PROMETHEUS = 1;
/** Clients name their databases as they like. */
const CONTEXTS_MAX = 1000;

/** Why a scan ended; words of `assembly/text.ts`. */
const LEFT = 1;
const FULL = 2;

/** Behind the first `length` bytes of a message. */
export interface Place {
  readonly ptr: number;
  readonly byteLength: number;
  readonly length: number;
}

/** What takes the series: fields of a WriteRequest. */
export interface SeriesTarget {
  /** Where so many bytes, or more, can be written in linear memory; undefined: `append` takes them from elsewhere. */
  place(byteLength: number): Place | undefined;
  /**
   * So many bytes were written at the last `place`.
   * @param elements bytes of snappy elements of the message so far.
   * @returns whether the message may be cut here, so that nothing behind refers to what is before.
   */
  appendPlaced(
    byteLength: number,
    series: number,
    samples: number,
    labels: number,
    elements: number,
  ): boolean;
  /** The bytes are only there during the call. */
  append(bytes: Uint8Array, series: number, samples: number, labels: number): void;
}

/** What was taken of a body. */
export interface Taken {
  /** Where the first line begins that was not taken; the length of the body at its end. */
  readonly next: number;
  /** Lines that were taken, empty ones included, and those that hold something. */
  readonly lines: number;
  readonly rows: number;
}

/** A scan of one body; lines before `start` were taken. */
export type TakeLines = (start: number) => Taken;

export interface InfluxScan {
  readonly nowMs: number;
  readonly trimMs: number;
  /** How timestamps become milliseconds; undefined: by their size. */
  readonly unit: { readonly divisor: number; readonly factor: number } | undefined;
  readonly skipMeasurement: boolean;
  readonly skipSingleField: boolean;
  readonly lineBytesMax: number;
  readonly separator: Uint8Array;
  readonly dbKey: Uint8Array;
  /** Empty: no label for the database. */
  readonly db: Uint8Array;
}

type Scan = (settings: number, src: number, end: number, dst: number, dstEnd: number) => number;

export class TextScanner {
  readonly #kernel: Kernel;
  readonly #settings: number;
  readonly #texts: Region;
  readonly #input: Region;
  readonly #output: Region;
  /** Of the message at hand; whoever wants them begins and finishes it. */
  readonly elements: Elements;
  #values = 0;
  /** Numbers of what lines of InfluxDB may mean, by their settings. */
  readonly #contexts = new Map<string, number>();

  /** @param recallBytes how much is remembered of lines; see `assembly/line-recall.ts`. */
  constructor(kernel: Kernel, recallBytes?: number) {
    this.#kernel = kernel;
    const { memory } = kernel;
    this.elements = new Elements(kernel, recallBytes);
    this.#settings = memory.alloc(SETTINGS_BYTES);
    this.#texts = new Region(kernel.memory);
    this.#input = new Region(kernel.memory);
    this.#output = new Region(kernel.memory);
    this.#fillPowers();
  }

  influx(bytes: Uint8Array, target: SeriesTarget, settings: InfluxScan): TakeLines {
    const { separator, dbKey, db, unit } = settings;
    const label = db.byteLength === 0 ? new Uint8Array() : encodeLabel(dbKey, db);
    const texts = this.#texts.reserve(separator.byteLength + dbKey.byteLength + label.byteLength + SLACK);
    const { memory } = this.#kernel;
    const keyAt = texts + separator.byteLength;
    const labelAt = keyAt + dbKey.byteLength;
    memory.bytes().set(separator, texts);
    memory.bytes().set(dbKey, keyAt);
    memory.bytes().set(label, labelAt);
    const longs = memory.u64();
    const at = this.#settings / 8;
    longs[at] = BigInt(settings.nowMs);
    longs[at + 1] = BigInt(settings.trimMs);
    longs[at + 2] = BigInt(unit?.divisor ?? 1);
    longs[at + 3] = BigInt(unit?.factor ?? 0);
    const flags = (settings.skipMeasurement ? 1 : 0) | (settings.skipSingleField ? 2 : 0);
    const { lineBytesMax } = settings;
    const context = this.#contextOf(`${flags},${separator},${dbKey},${db}`);
    const words = [texts, separator.byteLength, keyAt, dbKey.byteLength, labelAt, label.byteLength];
    memory.u32().set([flags, asLimit(lineBytesMax), ...words], this.#settings / 4 + 8);
    return this.#scan(bytes, target, this.#kernel.exports.scanInflux, context);
  }

  jsonLines(bytes: Uint8Array, target: SeriesTarget, lineBytesMax: number): TakeLines {
    const { memory } = this.#kernel;
    if (this.#values === 0) this.#values = memory.alloc(VALUES_MAX * 8);
    memory.u32().set([asLimit(lineBytesMax), this.#values, VALUES_MAX], this.#settings / 4);
    return this.#scan(bytes, target, this.#kernel.exports.scanJsonLines, 0);
  }

  /** @param defaultMs for lines without a timestamp. */
  prometheusText(bytes: Uint8Array, target: SeriesTarget, defaultMs: number): TakeLines {
    this.#kernel.memory.i64()[this.#settings / 8] = BigInt(defaultMs);
    return this.#scan(bytes, target, this.#kernel.exports.scanPrometheusText, PROMETHEUS);
  }

  /** @param context of these lines; see `Elements.open`. */
  #scan(bytes: Uint8Array, target: SeriesTarget, scan: Scan, context: number): TakeLines {
    // What of the body is in the input region: whole lines.
    let from = 0;
    let to = 0;
    let room = PIECE_BYTES + SLACK;
    return (start) => {
      let next = start;
      let lines = 0;
      let rows = 0;
      while (next < bytes.byteLength) {
        if (next >= to) {
          from = next;
          to = this.#bring(bytes, next);
          // The line is too long.
          if (to === from) break;
        }
        const placed = target.place(room);
        const out = placed ?? this.#ownRoom(room);
        const outBytes = Math.min(out.byteLength, Math.max(room, OUTPUT_BYTES));
        if (placed === undefined) this.#dropElements(target);
        const length = placed?.length ?? 0;
        this.elements.open(out.ptr - length, length, outBytes, context);
        const base = this.#input.ptr - from;
        const reached =
          (scan(this.#settings, base + next, base + to, out.ptr, out.ptr + outBytes) >>> 0) - base;
        this.#give(target, out.ptr, placed?.length);
        lines += this.#kernel.result(3);
        rows += this.#kernel.result(4);
        const isStuck = reached === next;
        // The last line may have got its end from us.
        next = Math.min(reached, bytes.byteLength);
        const why = this.#kernel.result(5);
        if (why === LEFT) break;
        if (why !== FULL || !isStuck) continue;
        if (outBytes >= PIECE_BYTES_MAX) break;
        room = 2 * outBytes;
      }
      return { next, lines, rows };
    };
  }

  #dropElements(target: SeriesTarget): void {
    const end = target.place(0);
    this.elements.drop(end === undefined ? 0 : end.ptr - end.length);
  }

  #contextOf(settings: string): number {
    const known = this.#contexts.get(settings);
    if (known !== undefined || this.#contexts.size >= CONTEXTS_MAX) return known ?? 0;
    this.#contexts.set(settings, PROMETHEUS + 1 + this.#contexts.size);
    return this.#contexts.get(settings)!;
  }

  #ownRoom(byteLength: number): Region {
    this.#output.reserve(byteLength);
    return this.#output;
  }

  /** Gives the target what a scan has written at `ptr`, behind so much of the message; undefined: in our own room. */
  #give(target: SeriesTarget, ptr: number, placed: number | undefined): void {
    const kernel = this.#kernel;
    const written = kernel.result(0);
    if (written === 0) return;
    const series = kernel.result(1);
    const samples = kernel.result(2);
    const labels = kernel.result(6);
    if (placed === undefined) {
      // A copy: the target may need more linear memory, and no view outlasts its growth.
      target.append(kernel.memory.bytes().slice(ptr, ptr + written), series, samples, labels);
      return;
    }
    this.elements.taken(ptr - placed, written);
    const isCut = target.appendPlaced(written, series, samples, labels, this.elements.length);
    if (isCut) this.elements.cut();
  }

  /** Brings whole lines from `start` on into the input region; returns where they end, `start` if that does not go. */
  #bring(bytes: Uint8Array, start: number): number {
    let end = Math.min(bytes.byteLength, start + PIECE_BYTES);
    if (end < bytes.byteLength) {
      const last = bytes.lastIndexOf(NEWLINE, end - 1);
      if (last >= start) end = last + 1;
      else {
        const newline = bytes.indexOf(NEWLINE, end);
        end = newline < 0 ? bytes.byteLength : newline + 1;
        if (end - start > PIECE_BYTES_MAX) return start;
      }
    }
    const length = end - start;
    const input = this.#input;
    input.reserve(Math.max(length, PIECE_BYTES) + SLACK);
    const memory = this.#kernel.memory.bytes();
    copyBytes(memory, input.ptr, bytes.subarray(start, end));
    // The scan stops here at the latest. What follows is read, and means nothing.
    if (bytes[end - 1] !== NEWLINE) memory[input.ptr + length] = NEWLINE;
    return end;
  }

  /** See `assembly/decimal.ts`. */
  #fillPowers(): void {
    const { exports, memory } = this.#kernel;
    const at = (exports.powersPtr() >>> 0) / 8;
    const longs = memory.u64();
    for (let power = POWER_MIN; power <= POWER_MAX; power++) {
      const bits = powerBits(power);
      longs[at + 2 * (power - POWER_MIN)] = BigInt.asUintN(64, bits);
      longs[at + 2 * (power - POWER_MIN) + 1] = bits >> 64n;
    }
  }
}

/** The first 128 bits of a power of ten, rounded down. */
function powerBits(power: number): bigint {
  const value = 10n ** BigInt(Math.abs(power));
  const length = value.toString(2).length;
  if (power >= 0) return length > 128 ? value >> BigInt(length - 128) : value << BigInt(128 - length);
  const quotient = (1n << BigInt(length + 128)) / value;
  const more = quotient.toString(2).length - 128;
  return quotient >> BigInt(more);
}

function encodeLabel(name: Uint8Array, value: Uint8Array): Uint8Array {
  return field(Buffer.concat([field(name), field(value, 0x12)]));
}

/** A length-delimited field; empty ones are left out, as in canonical protobuf. */
function field(bytes: Uint8Array, tag = 0x0a): Uint8Array {
  return bytes.byteLength === 0
    ? bytes
    : Buffer.concat([Uint8Array.of(tag), encodeVarint(bytes.byteLength), bytes]);
}

/** A limit as the kernels take it. */
function asLimit(limit: number): number {
  return Math.min(limit, 0xffffffff);
}
