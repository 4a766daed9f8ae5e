/**
 * JSON in place: walks over bytes without making values of them. It is as lenient as vmagent's reader: strings may hold
 * raw control characters, and an escape that means nothing stays as it is written.
 */
import type { Scratch } from './scratch.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const SLASH = 0x2f;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Deeper nesting is an error. */
const DEPTH_MAX = 300;

/** For two escapes that look like a pair and are none. */
const REPLACEMENT = 0xfffd;

/** What `\b` and its like stand for. */
const controls: Readonly<Record<number, number>> = { 98: 8, 102: 12, 110: 10, 114: 13, 116: 9 };

export class JsonScanner {
  readonly bytes: Uint8Array;
  at = 0;
  #end = 0;
  /** The last string: its text without the quotes, and whether there are backslashes in it. */
  start = 0;
  stop = 0;
  isEscaped = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Begins with the range. */
  open(start: number, end: number): void {
    this.at = start;
    this.#end = end;
  }

  /** The next byte that is not blank, which stays; -1 at the end. */
  peek(): number {
    const bytes = this.bytes;
    let at = this.at;
    while (at < this.#end && isBlank(bytes[at]!)) at++;
    this.at = at;
    return at < this.#end ? bytes[at]! : -1;
  }

  /** Steps over this byte; false if another one is next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  /** Steps over a string and notes it. */
  takeString(): boolean {
    if (!this.take(QUOTE)) return false;
    const bytes = this.bytes;
    this.isEscaped = false;
    for (let at = this.at; at < this.#end; at++) {
      if (bytes[at] === BACKSLASH) {
        this.isEscaped = true;
        at++;
      } else if (bytes[at] === QUOTE) {
        this.start = this.at;
        this.stop = at;
        this.at = at + 1;
        return true;
      }
    }
    return false;
  }

  /** Steps over anything that is neither a string nor a container: a number or a word, and notes it. */
  takeToken(): boolean {
    this.peek();
    const bytes = this.bytes;
    this.start = this.at;
    while (this.at < this.#end && !endsToken(bytes[this.at]!)) this.at++;
    this.stop = this.at;
    return this.stop > this.start;
  }

  /** Steps over what follows `{` or `,` of an object up to the value: a key, noted, and a colon. */
  takeKey(): boolean {
    return this.takeString() && this.take(COLON);
  }

  /** After a member: 1 when another one follows, 0 at the end of the container, -1 for anything else. */
  takeSeparator(close: number): number {
    if (this.take(COMMA)) return 1;
    return this.take(close) ? 0 : -1;
  }

  /** Steps over a value of any kind. */
  skipValue(depth = 0): boolean {
    const first = this.peek();
    if (first === QUOTE) return this.takeString();
    if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return this.takeToken() && this.#isLiteral();
    if (depth === DEPTH_MAX) return false;
    this.at++;
    const close = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
    if (this.take(close)) return true;
    for (;;) {
      if (first === OPEN_OBJECT && !this.takeKey()) return false;
      if (!this.skipValue(depth + 1)) return false;
      const more = this.takeSeparator(close);
      if (more <= 0) return more === 0;
    }
  }

  /** Whether the last token may be a number or is a word of JSON; what number it is, is not asked. */
  #isLiteral(): boolean {
    if (literals.some((word) => this.is(word))) return true;
    for (let at = this.start; at < this.stop; at++) {
      if (!isOfNumber(this.bytes[at]!)) return this.#isSpecial();
    }
    return true;
  }

  /** `Inf` and `NaN` in any case, with a sign or without. */
  #isSpecial(): boolean {
    const text = Buffer.from(this.bytes.subarray(this.start, Math.min(this.stop, this.start + 5))).toString(
      'latin1',
    );
    return /^[+-]?(inf|nan)$/i.test(text);
  }

  /** Whether the last string or token is this text. */
  is(text: Uint8Array): boolean {
    if (this.stop - this.start !== text.byteLength) return false;
    for (let index = 0; index < text.byteLength; index++) {
      if (this.bytes[this.start + index] !== text[index]) return false;
    }
    return true;
  }
}

const literals = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** Digits, signs, a point, and the letter of an exponent. */
const isOfNumber = (byte: number) =>
  (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e || (byte | 0x20) === 0x65;

const isBlank = (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

function endsToken(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT || byte === QUOTE || isBlank(byte);
}

/** Writes a string without its escapes to the scratch, from `into` on; returns its end there. */
export function unescapeJson(
  bytes: Uint8Array,
  start: number,
  end: number,
  scratch: Scratch,
  into: number,
): number {
  const target = scratch.reserve(into, end - start);
  let out = into;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const escaped = byte === BACKSLASH && at + 1 < end ? bytes[at + 1]! : 0;
    const control = escaped === 0 ? undefined : controls[escaped];
    if (control !== undefined) {
      target[out++] = control;
      at++;
    } else if (escaped === QUOTE || escaped === BACKSLASH || escaped === SLASH) {
      target[out++] = escaped;
      at++;
    } else if (escaped === LOWER_U) {
      const taken = codePointAt(bytes, at, end);
      if (taken.length === 0) target[out++] = byte;
      else {
        out += Buffer.from(target.buffer, target.byteOffset).write(
          String.fromCodePoint(taken.codePoint),
          out,
        );
        at += taken.length - 1;
      }
    } else target[out++] = byte;
  }
  return out;
}

/** The character of `\uXXXX`, or of two that belong together; a length of 0 for half of such a pair. */
function codePointAt(bytes: Uint8Array, at: number, end: number): { codePoint: number; length: number } {
  const high = hexAt(bytes, at, end);
  if (high < 0) return { codePoint: 0, length: 0 };
  if (high < 0xd800 || high > 0xdfff) return { codePoint: high, length: 6 };
  const low = hexAt(bytes, at + 6, end);
  if (low < 0) return { codePoint: 0, length: 0 };
  const isPair = high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
  if (!isPair) return { codePoint: REPLACEMENT, length: 12 };
  return { codePoint: 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), length: 12 };
}

/** The number of `\uXXXX`; -1 if there is none. */
function hexAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 6 > end || bytes[at] !== BACKSLASH || bytes[at + 1] !== LOWER_U) return -1;
  let value = 0;
  for (let index = at + 2; index < at + 6; index++) {
    const digit = hexDigit(bytes[index]!);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
