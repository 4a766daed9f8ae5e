import { inspect } from 'node:util';

/** A string that never shows itself: not in logs, JSON, templates or stack traces. Only `reveal()` gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return 'secret';
  }

  toJSON(): string {
    return 'secret';
  }

  [inspect.custom](): string {
    return 'secret';
  }
}
