/**
 * Label bytes → strings, for the once-a-series work. All labels of a series are read as one string and cut up: a call into
 * the runtime costs as much as many cuts.
 */
import type { Columns, Kernel } from '../kernel/kernel.ts';
import type { Labels } from '../model/labels.ts';

/** u32 words that the kernel writes for a label: begin and length of name, value and field. */
const WORDS = 6;

export class LabelReader {
  readonly #kernel: Kernel;
  #table = { ptr: 0, labels: 0 };
  #buffer = Buffer.alloc(0);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Appends the labels of a series with their places as origins; returns their number. */
  read(columns: Columns, series: number, into: Labels): number {
    const { labelsPtr, labelsLength, labelCount } = columns.labelsOf(series);
    if (labelCount > this.#table.labels) this.#reserve(labelCount);
    this.#kernel.exports.describeLabels(columns.rowPtr(series), this.#table.ptr);
    const isAscii = this.#kernel.result(1) === 1;
    const bytes = this.#bytes();
    const text = isAscii ? bytes.toString('latin1', labelsPtr, labelsPtr + labelsLength) : '';
    const words = this.#kernel.memory.u32();
    let at = this.#table.ptr / 4;
    for (let label = 0; label < labelCount; label++, at += WORDS) {
      const name = words[at]!;
      const nameEnd = name + words[at + 1]!;
      const value = words[at + 2]!;
      const valueEnd = value + words[at + 3]!;
      if (isAscii) into.push(text.substring(name, nameEnd), text.substring(value, valueEnd), label);
      else {
        into.push(
          bytes.toString('utf8', labelsPtr + name, labelsPtr + nameEnd),
          bytes.toString('utf8', labelsPtr + value, labelsPtr + valueEnd),
          label,
        );
      }
    }
    return labelCount;
  }

  /** Of the series that was read last: where the field of a label begins, relative to the first label. */
  fieldAt(label: number): number {
    return this.#kernel.memory.u32()[this.#table.ptr / 4 + label * WORDS + 4]!;
  }

  fieldLength(label: number): number {
    return this.#kernel.memory.u32()[this.#table.ptr / 4 + label * WORDS + 5]!;
  }

  #reserve(labels: number): void {
    const { memory } = this.#kernel;
    if (this.#table.labels > 0) memory.free(this.#table.ptr, this.#table.labels * WORDS * 4);
    const roomy = Math.max(64, labels * 2);
    this.#table = { ptr: memory.alloc(roomy * WORDS * 4), labels: roomy };
  }

  /** A Buffer over the kernel's memory, which another buffer takes the place of whenever it grows. */
  #bytes(): Buffer {
    const { buffer } = this.#kernel.memory.bytes();
    if (this.#buffer.buffer !== buffer) this.#buffer = Buffer.from(buffer);
    return this.#buffer;
  }
}
