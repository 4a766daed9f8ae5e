import { moved } from '../../util/free-buffer.ts';

/** By ref of a series: an integer of the owner, or UNMATCHED. */
export const UNMATCHED = -1;

const FIRST_REFS = 1024;

export class Targets {
  /** Refs beyond its length are UNMATCHED. */
  data = new Int32Array(0);

  set(ref: number, target: number): void {
    if (ref >= this.data.length) {
      const roomy = Math.max(FIRST_REFS, Math.ceil((ref + 1) * 1.5));
      this.data = moved(this.data, new Int32Array(roomy).fill(UNMATCHED));
    }
    this.data[ref] = target;
  }

  /** The target of the ref, which has none from now on. */
  take(ref: number): number {
    if (ref >= this.data.length) return UNMATCHED;
    const target = this.data[ref]!;
    this.data[ref] = UNMATCHED;
    return target;
  }

  get byteLength(): number {
    return this.data.byteLength;
  }
}
