/**
 * Secrets that stand elsewhere: a value `file:///path`, `file://./relative` or `http(s)://host/path` is the place to
 * read the secret from, as in vmagent. It is read again when it is used, at most once a second, so that keys can be
 * rotated without a restart.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../util/clock.ts';
import { SluiceError } from '../util/error.ts';
import { Secret } from '../util/secret.ts';
import type { Problem } from './problem.ts';

const REREAD_MS = 1000;
const FETCH_TIMEOUT_MS = 5000;
/** A secret is short; more than this is a wrong path. */
const LENGTH_MAX = 64 * 1024;

const HINT = 'make it readable for this process';

/** Is this text the place of a secret rather than the secret? */
export function isReference(text: string): boolean {
  return /^(file|https?):\/\//.test(text);
}

/** Gives the content of a reference; rejects if it cannot be read. */
export type ReadReference = (reference: string) => Promise<string>;

export class SecretSource extends Secret {
  readonly #reference: string;
  readonly #where: string;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #read: ReadReference;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> = Promise.resolve('');
  #last: string | undefined;

  /** `where` names the option for messages. */
  constructor(
    reference: string,
    where: string,
    clock: Pick<Clock, 'monotonicMs'>,
    read: ReadReference = readReference,
  ) {
    super('');
    this.#reference = reference;
    this.#where = where;
    this.#clock = clock;
    this.#read = read;
  }

  /** The secret, at most a second old, without white space at its end. Throws a SluiceError if it cannot be read. */
  current(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs >= REREAD_MS) {
      this.#readAtMs = nowMs;
      this.#reading = this.#load();
      // The failure belongs to whoever asks; nobody asking is no unhandled rejection.
      this.#reading.catch(() => {});
    }
    return this.#reading;
  }

  /**
   * The secret as it was read last, at once; a fresh one is fetched in the background. While it cannot be read the old
   * one stays. It must have been read once with `current()`, which loading the configuration does.
   */
  override reveal(): string {
    if (this.#last === undefined) {
      throw new SluiceError(
        'secret-unread',
        `cannot use the secret of ${this.#where}: it was not read yet; try again`,
      );
    }
    void this.current();
    return this.#last;
  }

  /** Reads it; what is wrong if that fails. */
  async check(): Promise<Problem | undefined> {
    try {
      await this.current();
      return undefined;
    } catch (error) {
      const message = `the secret cannot be read: ${(error as SluiceError).cause}`;
      return { where: this.#where, message, hint: HINT };
    }
  }

  async #load(): Promise<string> {
    let text: string;
    try {
      text = await this.#read(this.#reference);
    } catch (error) {
      const reason = reasonOf(error);
      const message = `cannot read the secret of ${this.#where}: ${reason}; ${HINT}`;
      throw new SluiceError('secret-unreadable', message, { cause: reason });
    }
    this.#last = text.trimEnd();
    return this.#last;
  }
}

/** Only what we or the system say: messages of libraries can hold the URL, and so credentials. */
function reasonOf(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const shown = typeof code === 'string' ? code : cause?.code;
  return typeof shown === 'string' ? shown : 'no answer';
}

async function readReference(reference: string): Promise<string> {
  if (reference.startsWith('file://'))
    return short(await readFile(reference.slice('file://'.length), 'utf8'));
  // A redirect could lead the request, and a token in its query, to somebody else.
  const response = await fetch(reference, {
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new SluiceError('secret-status', `the answer has status ${response.status}`);
  }
  return short(await response.text());
}

function short(text: string): string {
  if (text.length > LENGTH_MAX) throw new SluiceError('secret-long', 'it is too long to be one');
  return text;
}
