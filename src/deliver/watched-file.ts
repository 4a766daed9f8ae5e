import { readFile } from 'node:fs/promises';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { requestSmall } from './small-request.ts';

const REREAD_MS = 1000;

/** A file (or an http(s) URL) whose content may change while we run; it is read at most once a second. */
export class WatchedFile {
  readonly #path: string;
  readonly #clock: Clock;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #current: Promise<string> = Promise.resolve('');

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** The content without white space at its end. Throws a SluiceError when it cannot be read. */
  read(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs >= REREAD_MS) {
      this.#readAtMs = nowMs;
      this.#current = this.#load();
      // The failure belongs to whoever asks; nobody asking is no unhandled rejection.
      this.#current.catch(() => {});
    }
    return this.#current;
  }

  async #load(): Promise<string> {
    const isUrl = /^https?:\/\//.test(this.#path);
    try {
      if (!isUrl) return (await readFile(this.#path, 'utf8')).trimEnd();
      const { status, text } = await requestSmall({ url: this.#path, method: 'GET' }, this.#clock);
      if (status !== 200) throw new Error(`status ${status}`);
      return text.trimEnd();
    } catch (cause) {
      // A URL can hold credentials.
      const shown = isUrl ? 'a credentials URL' : this.#path;
      const message = isUrl ? 'the request failed' : messageOf(cause);
      throw new SluiceError(
        'unreadable',
        `cannot read ${shown}: ${message}; make it readable for this process`,
        { cause },
      );
    }
  }
}
