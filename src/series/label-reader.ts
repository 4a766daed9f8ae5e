/**
 * Label bytes → strings, for the once-a-series work. All labels of a series are read as one string and cut up: a call into
 * the runtime costs as much as many cuts. Series that follow each other come from one target and have most labels in
 * common: those get the very strings of the series before, so that what is looked up by them is found by identity.
 */
import type { Columns, Kernel } from '../kernel/kernel.ts';
import type { Labels } from '../model/labels.ts';

/** u32 words that the kernel writes for a label: begin and length of name, value and field, and whether it is known. */
const WORDS = 7;
const FIRST_LABELS = 64;

/** The labels of one series as the kernel describes them, and as strings. */
interface Described {
  ptr: number;
  labels: number;
  readonly names: string[];
  readonly values: string[];
}

export class LabelReader {
  readonly #kernel: Kernel;
  #current: Described = { ptr: 0, labels: 0, names: [], values: [] };
  #before: Described = { ptr: 0, labels: 0, names: [], values: [] };
  /** The row that was read last, while its columns hold what they held then. */
  #rowBefore = 0;
  #scan: Columns | undefined;
  #scanNumber = -1;
  #buffer = Buffer.alloc(0);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Replaces the labels by those of a series, with their places as origins; returns their number. */
  read(columns: Columns, series: number, into: Labels): number {
    const { labelsPtr, labelsLength, labelCount } = columns.labelsOf(series);
    this.#turn(columns);
    const row = columns.rowPtr(series);
    const { ptr, names, values } = this.#reserve(labelCount);
    this.#kernel.exports.describeLabels(row, ptr, this.#rowBefore, this.#before.ptr);
    this.#rowBefore = row;
    const isAscii = this.#kernel.result(1) === 1;
    const bytes = this.#bytes();
    const text = isAscii ? bytes.toString('latin1', labelsPtr, labelsPtr + labelsLength) : '';
    const words = this.#kernel.memory.u32();
    const { names: namesBefore, values: valuesBefore } = this.#before;
    let at = ptr / 4;
    for (let label = 0; label < labelCount; label++, at += WORDS) {
      if (words[at + 6] === 1) {
        names[label] = namesBefore[label]!;
        values[label] = valuesBefore[label]!;
      } else {
        const name = words[at]!;
        const nameEnd = name + words[at + 1]!;
        const value = words[at + 2]!;
        const valueEnd = value + words[at + 3]!;
        names[label] = isAscii
          ? text.substring(name, nameEnd)
          : bytes.toString('utf8', labelsPtr + name, labelsPtr + nameEnd);
        values[label] = isAscii
          ? text.substring(value, valueEnd)
          : bytes.toString('utf8', labelsPtr + value, labelsPtr + valueEnd);
      }
    }
    into.assign(names, values, labelCount);
    return labelCount;
  }

  #turn(columns: Columns): void {
    const { scanNumber } = columns;
    if (this.#scan !== columns || this.#scanNumber !== scanNumber) this.#rowBefore = 0;
    this.#scan = columns;
    this.#scanNumber = scanNumber;
    const before = this.#current;
    this.#current = this.#before;
    this.#before = before;
  }

  #reserve(labels: number): Described {
    const current = this.#current;
    if (labels > current.labels) {
      const { memory } = this.#kernel;
      if (current.labels > 0) memory.free(current.ptr, current.labels * WORDS * 4);
      current.labels = Math.max(FIRST_LABELS, labels * 2);
      current.ptr = memory.alloc(current.labels * WORDS * 4);
    }
    return current;
  }

  /** A Buffer over the kernel's memory, which another buffer takes the place of whenever it grows. */
  #bytes(): Buffer {
    const { buffer } = this.#kernel.memory.bytes();
    if (this.#buffer.buffer !== buffer) this.#buffer = Buffer.from(buffer);
    return this.#buffer;
  }
}
