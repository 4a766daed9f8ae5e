/**
 * -remoteWrite.significantFigures and -remoteWrite.roundDigits, bit for bit as vmagent does it: its way to a decimal,
 * which stops after 12 to 15 digits, its powers of ten and its order of operations.
 */

export interface Rounding {
  /** 1 to 17; others change nothing. */
  readonly significantFigures: number;
  /** Digits behind the point, or before it when negative: -99 to 99; others change nothing. */
  readonly roundDigits: number;
}

/** Undefined when nothing would change. NaN and infinities stay as they are. */
export function createRounder({
  significantFigures,
  roundDigits,
}: Rounding): ((value: number) => number) | undefined {
  const hasFigures = significantFigures > 0 && significantFigures < 18;
  const hasDigits = roundDigits > -100 && roundDigits < 100;
  const limit = 10 ** significantFigures;
  const power = pow10(roundDigits);
  if (hasFigures && hasDigits) return (value) => toDigits(toFigures(value, limit), power);
  if (hasFigures) return (value) => toFigures(value, limit);
  return hasDigits ? (value) => toDigits(value, power) : undefined;
}

/** Halves go away from zero. */
function toDigits(value: number, power: number): number {
  if (!Number.isFinite(value)) return value;
  const scaled = value * power;
  const whole = Math.trunc(scaled);
  return (Math.abs(scaled - whole) >= 0.5 ? whole + Math.sign(scaled) : whole) / power;
}

function toFigures(value: number, limit: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const size = Math.abs(value);
  // A whole number that fits comes out as it went in.
  if (size <= limit && Number.isSafeInteger(size)) return value;
  const rounded = isUint64(size) ? wholeToFigures(size, limit) : fractionToFigures(size, limit);
  return value < 0 ? -rounded : rounded;
}

function isUint64(size: number): boolean {
  return size < 2 ** 64 && Number.isInteger(size);
}

function wholeToFigures(size: number, limit: number): number {
  if (size >= EXACT) {
    let large = BigInt(size);
    let exponent = 0;
    for (; large >= 1n << 55n || large % 10n === 0n; exponent++) large /= 10n;
    return cutLarge(large, exponent, limit);
  }
  let digits = size;
  let exponent = 0;
  for (; digits % 10 === 0; exponent++) digits /= 10;
  return cut(digits, exponent, limit);
}

/** Goes on to ever more digits until what is left is too small against them. */
function fractionToFigures(size: number, limit: number): number {
  let scaled = size;
  let exponent = 0;
  const precision = size > 1e6 ? 1e15 : 1e12;
  if (size > 1e6 || size < 1e-6) {
    exponent = Math.trunc(Math.max(binaryExponent(size), -1022) * LOG10_2);
    scaled *= pow10(-exponent);
  }
  while (scaled < precision) {
    const whole = Math.trunc(scaled);
    const rest = scaled - whole;
    if (rest * precision < whole) {
      scaled = whole;
      break;
    }
    if ((1 - rest) * precision < whole) {
      scaled = whole + 1;
      break;
    }
    scaled *= 100;
    exponent -= 2;
  }
  const digits = Math.trunc(scaled);
  // One zero goes, as in vmagent.
  const isRound = digits % 10 === 0;
  if (isRound) exponent++;
  if (digits < EXACT) return cut(isRound ? digits / 10 : digits, exponent, limit);
  return cutLarge(isRound ? BigInt(digits) / 10n : BigInt(digits), exponent, limit);
}

/** Drops digits until the number is within the limit; the last one that goes decides. */
function cut(digits: number, exponent: number, limit: number): number {
  let left = digits;
  let power = exponent;
  let dropped = 0;
  for (; left > limit; power++) {
    dropped = left % 10;
    left = (left - dropped) / 10;
  }
  return toDouble(dropped >= 5 ? left + 1 : left, power);
}

/** The same for numbers that a double cannot take apart digit by digit. */
function cutLarge(digits: bigint, exponent: number, limit: number): number {
  const limitDigits = BigInt(limit);
  let left = digits;
  let power = exponent;
  let dropped = 0n;
  for (; left > limitDigits; power++) {
    dropped = left % 10n;
    left /= 10n;
  }
  return toDouble(Number(dropped >= 5n ? left + 1n : left), power);
}

function toDouble(digits: number, power: number): number {
  if (power >= 0) return digits * pow10(power);
  // Below the smallest power of ten in two steps.
  return power >= -POWER_MAX ? digits / pow10(-power) : digits / 1e308 / pow10(-power - POWER_MAX);
}

/** Whole numbers below are exact in a double. */
const EXACT = 2 ** 53;
const LOG10_2 = 0.3010299956639812;
const POWER_MAX = 308;

const bits = new DataView(new ArrayBuffer(8));

/** The exponent e in m × 2^e with m in [0.5, 1). */
function binaryExponent(size: number): number {
  bits.setFloat64(0, size);
  const exponent = (bits.getUint16(0) >> 4) & 0x7ff;
  return exponent - 1022;
}

const POWERS_MAX = 400;
/** As in Go: products of two exact table entries, which differ from the nearest double for some large exponents. */
const powers = Float64Array.from({ length: 2 * POWERS_MAX + 1 }, (_, index) => {
  const exponent = index - POWERS_MAX;
  const size = Math.abs(exponent);
  const high = Number(`1e${exponent < 0 ? '-' : ''}${Math.floor(size / 32) * 32}`);
  const low = Number(`1e${size % 32}`);
  return exponent < 0 ? high / low : high * low;
});

function pow10(exponent: number): number {
  return powers[exponent + POWERS_MAX]!;
}
