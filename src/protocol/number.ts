/**
 * Numbers in text protocols, as vmagent reads them:
 *
 *     number   = ["-"] (digits ["." *digit] / "." digits) [("e" / "E") ["+" / "-"] digits]
 *     special  = ["-"] ["+"] ("inf" / "infinity" / "nan")         in any case
 *     integer  = ["-"] digits                                     within int64
 *
 * A `+` before an ordinary number is an error. Decimals are rounded as IEEE 754 asks, always; `-5.` is -5.
 */
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const LOWER_E = 0x65;

/** Up to this many digits a mantissa is exact in a double. */
const EXACT_DIGITS_MAX = 15;
/** Powers of ten up to this one are exact in a double, so that one multiplication or division rounds correctly. */
const EXACT_POWER_MAX = 22;
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_POWER_MAX + 1 }, (_, power) => Number(`1e${power}`));
/** Beyond this every exponent means infinity or zero, however many digits there are. */
const EXPONENT_MAX = 100_000_000;

const INT64_MAX = '9223372036854775807';
const INT64_MIN = '9223372036854775808';
const INT64_LIMIT = 2 ** 63;
const UINT64_MAX = '18446744073709551615';

/** One for each parser: what was read is in `value`. */
export class NumberReader {
  /** What the last `read…` that returned true found. */
  value = 0;
  /** How many digits the last integer had, without leading zeros: where `value` is rounded, this still is exact. */
  digits = 0;

  /** Reads the whole range as a number; false if it is none. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    const isNegative = at < end && bytes[at] === MINUS;
    if (isNegative) at++;
    let mantissa = 0;
    let digits = 0;
    let exponent = 0;
    const integerStart = at;
    let byte = 0;
    for (; at < end; at++) {
      byte = bytes[at]! - ZERO;
      if (byte < 0 || byte > 9) break;
      mantissa = mantissa * 10 + byte;
      if (mantissa > 0) digits++;
    }
    let seen = at - integerStart;
    if (at < end && bytes[at] === POINT) {
      const fractionStart = ++at;
      for (; at < end; at++) {
        byte = bytes[at]! - ZERO;
        if (byte < 0 || byte > 9) break;
        mantissa = mantissa * 10 + byte;
        if (mantissa > 0) digits++;
      }
      exponent = fractionStart - at;
      seen += at - fractionStart;
    }
    if (seen === 0) return this.#readSpecial(bytes, integerStart, end, isNegative);
    if (at < end) {
      if ((bytes[at]! | 0x20) !== LOWER_E) return false;
      at++;
      const sign = at < end ? bytes[at] : 0;
      if (sign === MINUS || sign === PLUS) at++;
      if (at === end) return false;
      let written = 0;
      for (; at < end; at++) {
        byte = bytes[at]! - ZERO;
        if (byte < 0 || byte > 9) return false;
        if (written < EXPONENT_MAX) written = written * 10 + byte;
      }
      exponent += sign === MINUS ? -written : written;
    }
    if (digits <= EXACT_DIGITS_MAX && exponent >= -EXACT_POWER_MAX && exponent <= EXACT_POWER_MAX) {
      if (exponent < 0) mantissa /= POWERS_OF_TEN[-exponent]!;
      else if (exponent > 0) mantissa *= POWERS_OF_TEN[exponent]!;
      this.value = isNegative ? -mantissa : mantissa;
    } else {
      this.value = Number(textOf(bytes, start, end));
    }
    return true;
  }

  /** Reads the whole range as an int64; false if it is none. Beyond 2^53 `value` is the nearest double. */
  readInteger(bytes: Uint8Array, start: number, end: number): boolean {
    const isNegative = start < end && bytes[start] === MINUS;
    if (!isNegative) return this.#readDigits(bytes, start, end, INT64_MAX);
    if (!this.#readDigits(bytes, start + 1, end, INT64_MIN)) return false;
    if (this.value !== 0) this.value = -this.value;
    return true;
  }

  /** Reads the whole range as a uint64, as `readInteger` does. */
  readUnsigned(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#readDigits(bytes, start, end, UINT64_MAX);
  }

  #readDigits(bytes: Uint8Array, start: number, end: number, limit: string): boolean {
    if (start >= end) return false;
    let value = 0;
    let digits = 0;
    for (let at = start; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
      if (value > 0) digits++;
    }
    if (digits > EXACT_DIGITS_MAX) {
      if (digits > limit.length) return false;
      const text = textOf(bytes, end - digits, end);
      if (digits === limit.length && text > limit) return false;
      value = Number(text);
    }
    this.value = value;
    this.digits = digits;
    return true;
  }

  #readSpecial(bytes: Uint8Array, start: number, end: number, isNegative: boolean): boolean {
    const at = start < end && bytes[start] === PLUS ? start + 1 : start;
    if (end - at !== 3 && end - at !== 8) return false;
    const word = textOf(bytes, at, end).toLowerCase();
    if (word === 'nan') this.value = Number.NaN;
    else if (word === 'inf' || word === 'infinity') this.value = isNegative ? -Infinity : Infinity;
    else return false;
    return true;
  }
}

/** Whether a number of milliseconds is a timestamp: finite, and within int64. */
export function isTimestamp(milliseconds: number): boolean {
  return Math.abs(milliseconds) < INT64_LIMIT;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
