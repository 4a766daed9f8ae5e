/** The last series that rules and limits dropped, a few of each reason, for the status page. */
import type { ShownDrop } from './engine/pool-ports.ts';

const EACH_MAX = 5;

export class DropExamples {
  readonly #byReason = new Map<string, ShownDrop[]>();

  add(example: ShownDrop): void {
    const known = this.#byReason.get(example.reason) ?? [];
    this.#byReason.set(example.reason, [example, ...known].slice(0, EACH_MAX));
  }

  /** The newest of each reason first. */
  get shown(): readonly ShownDrop[] {
    return [...this.#byReason.values()].flat();
  }
}
