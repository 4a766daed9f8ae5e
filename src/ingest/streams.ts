/** The bodies that are taken in pieces: how many may gather without a token, and all of them at a stop. */
import type { BodySource } from './body-source.ts';

/** Each gathers up to a MiB and has half a MiB under way. Beyond that the limiter bounds them, as it does all others. */
const SEATS = 64;

export class Streams {
  readonly #sources = new Set<BodySource>();
  #seatsTaken = 0;
  #isStopping = false;

  /** Takes a seat if one is free: for a body that may become a stream. */
  enter(): boolean {
    if (this.#seatsTaken >= SEATS) return false;
    this.#seatsTaken++;
    return true;
  }

  leave(): void {
    this.#seatsTaken--;
  }

  add(source: BodySource): void {
    this.#sources.add(source);
    if (this.#isStopping) source.fail('stopping');
  }

  delete(source: BodySource): void {
    this.#sources.delete(source);
  }

  /** Ends them where they are; those to come, too. */
  stop(): void {
    this.#isStopping = true;
    for (const source of this.#sources) source.fail('stopping');
  }
}
