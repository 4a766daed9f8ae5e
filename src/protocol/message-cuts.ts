/** Where a message that is being written can be cut. */
import type { WriteRequestFound } from '../kernel/kernel.ts';
import type { Cut } from '../model/body.ts';

/** Apart from each other: small enough for blocks to be filled with what is between two of them. */
const SAMPLES = 1000;
const BYTES = 512 * 1024;

export class MessageCuts {
  readonly #all: Cut[] = [];

  /** In order. */
  get all(): readonly Cut[] {
    return this.#all;
  }

  /**
   * Notes a cut if the last one is far enough.
   * @param found what is before it; `elements` is as in `Cut`.
   */
  note(bytes: number, elements: number, { counts, labels }: WriteRequestFound): boolean {
    const last = this.#all.at(-1);
    const isDue =
      counts.samples - (last?.counts.samples ?? 0) >= SAMPLES || bytes - (last?.bytes ?? 0) >= BYTES;
    if (isDue) this.#all.push({ bytes, elements, counts, labels });
    return isDue;
  }
}
