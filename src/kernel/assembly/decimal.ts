// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * Numbers written in digits → the nearest double, as `../../protocol/number.ts` reads them: small ones by one exact
 * multiplication or division, longer ones by the algorithm of Eisel and Lemire ("Number Parsing at a Gigabyte per
 * Second", 2021). Whatever these do not settle (more than 19 digits, exponents far from 0, words) is left to the caller.
 *
 * Every function reads beyond the number: there is a byte that belongs to none before the end of the region.
 */
const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const ZERO: u32 = 0x30;
const POINT_DIGIT: u32 = 0x2e - ZERO; // wrapped
const LOWER_E: u32 = 0x65;

/** So many digits fit into 64 bits, whatever they are. */
const DIGITS_MAX: u32 = 19;
/** Up to here integers, and powers of ten, are exact in a double. */
const EXACT_MAX: u64 = 1 << 53;
const EXACT_POWER_MAX: i32 = 22;
/** Longer exponents are left to the caller. */
const EXPONENT_DIGITS_MAX: u32 = 3;

// biome-ignore format: a table
const EXACT_POWERS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]);

/** Powers of ten from 10^-64 to 10^64: 128 bits each, rounded down, the first bit set; low half first. Filled by the face. */
const POWER_MIN: i32 = -64;
const POWER_MAX: i32 = 64;
const POWERS: usize = memory.data(129 * 16, 16);

export function powersPtr(): usize {
  return POWERS;
}

/** The bits of the double that `readNumber` found, or the integer that `readDigits` found. */
export let value: u64 = 0;

export function setValue(bits: u64): void {
  value = bits;
}

/** Whether these eight bytes are digits. */
function areDigits(chunk: u64): bool {
  const high = chunk & 0xf0f0f0f0f0f0f0f0;
  return (high | (((chunk + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) === 0x3333333333333333;
}

/** The number that eight digits are: pairs, then fours, then all of them. */
function numberOf(chunk: u64): u64 {
  const ones = chunk - 0x3030303030303030;
  const pairs = ones * 10 + (ones >> 8);
  const mask: u64 = 0x000000ff000000ff;
  return ((pairs & mask) * 0x000f424000000064 + ((pairs >> 16) & mask) * 0x0000271000000001) >> 32;
}

/** Digits: returns where they end, 0 when there are none or more than `DIGITS_MAX`. */
export function readDigits(start: usize): usize {
  let p = start;
  let number: u64 = 0;
  const chunk = load<u64>(p);
  if (areDigits(chunk)) {
    number = numberOf(chunk);
    p += 8;
  }
  let digit = (load<u8>(p) as u32) - ZERO;
  while (digit < 10) {
    number = number * 10 + digit;
    digit = (load<u8>(++p) as u32) - ZERO;
  }
  const digits = (p - start) as u32;
  if (digits === 0 || digits > DIGITS_MAX) return 0;
  value = number;
  return p;
}

/** How many digits stand between the two, without zeros at the beginning. */
function significant(start: usize, end: usize): u32 {
  let p = start;
  while (p < end && (load<u8>(p) === 0x30 || load<u8>(p) === 0x2e)) p++;
  let digits: u32 = 0;
  for (; p < end; p++) if (load<u8>(p) !== 0x2e) digits++;
  return digits;
}

/** A number at `start`: returns where it ends, 0 when it is none or not for us. */
export function readNumber(start: usize): usize {
  const isNegative = (load<u8>(start) as u32) === MINUS;
  const digitsStart = start + (isNegative as usize);
  let p = digitsStart;
  let mantissa: u64 = 0;
  let digit = (load<u8>(p) as u32) - ZERO;
  while (digit < 10) {
    mantissa = mantissa * 10 + digit;
    digit = (load<u8>(++p) as u32) - ZERO;
  }
  let digits = (p - digitsStart) as u32;
  let exponent: i32 = 0;
  if (digit === POINT_DIGIT) {
    const fraction = ++p;
    for (let chunk = load<u64>(p); areDigits(chunk); chunk = load<u64>(p)) {
      mantissa = mantissa * 100000000 + numberOf(chunk);
      p += 8;
    }
    digit = (load<u8>(p) as u32) - ZERO;
    while (digit < 10) {
      mantissa = mantissa * 10 + digit;
      digit = (load<u8>(++p) as u32) - ZERO;
    }
    exponent = -((p - fraction) as i32);
    digits += (p - fraction) as u32;
  }
  if (digits === 0) return 0;
  if (digits > DIGITS_MAX && significant(digitsStart, p) > DIGITS_MAX) return 0;
  if (((load<u8>(p) as u32) | 0x20) === LOWER_E) {
    p++;
    const sign = load<u8>(p) as u32;
    if (sign === MINUS || sign === PLUS) p++;
    const exponentStart = p;
    let written: i32 = 0;
    digit = (load<u8>(p) as u32) - ZERO;
    while (digit < 10) {
      if (((p - exponentStart) as u32) >= EXPONENT_DIGITS_MAX) return 0;
      written = written * 10 + (digit as i32);
      digit = (load<u8>(++p) as u32) - ZERO;
    }
    if (p === exponentStart) return 0;
    exponent += sign === MINUS ? -written : written;
  }
  if (!toDouble(mantissa, exponent)) return 0;
  if (isNegative) value |= 0x8000000000000000;
  return p;
}

/** Leaves the bits of mantissa × 10^exponent in `value`; false when that takes more than is done here. */
function toDouble(mantissa: u64, exponent: i32): bool {
  if (mantissa === 0) {
    value = 0;
    return true;
  }
  if (mantissa <= EXACT_MAX && exponent >= -EXACT_POWER_MAX && exponent <= EXACT_POWER_MAX) {
    const exact = mantissa as f64;
    const scaled =
      exponent < 0
        ? exact / load<f64>(EXACT_POWERS + ((-exponent as usize) << 3))
        : exact * load<f64>(EXACT_POWERS + ((exponent as usize) << 3));
    value = reinterpret<u64>(scaled);
    return true;
  }
  return exponent >= POWER_MIN && exponent <= POWER_MAX && round(mantissa, exponent);
}

/** The upper 64 bits of a product. */
function mulHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const carry = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (carry >> 32);
}

/**
 * The product of the mantissa with a power of ten that is a little too small: its upper bits are the double unless they
 * are so close to a border that the rest of the power matters, which is looked at once, or that even that does not tell.
 */
function round(mantissa: u64, exponent: i32): bool {
  const power = POWERS + ((exponent - POWER_MIN) << 4);
  const zeros = clz(mantissa);
  const factor = mantissa << zeros;
  // 217706 / 2^16 is the logarithm of 10 to the base 2.
  let exponent2 = (((217706 * exponent) >> 16) as i64) + 1087 - (zeros as i64);
  const powerHigh = load<u64>(power, 8);
  let high = mulHigh(factor, powerHigh);
  let low = factor * powerHigh;
  if ((high & 0x1ff) === 0x1ff && low + factor < factor) {
    const powerLow = load<u64>(power);
    const more = mulHigh(factor, powerLow);
    const least = factor * powerLow;
    const merged = low + more;
    if (merged < low) high++;
    low = merged;
    if ((high & 0x1ff) === 0x1ff && low + 1 === 0 && least + factor < factor) return false;
  }
  const top = high >> 63;
  let bits = high >> (top + 9);
  exponent2 -= (1 - top) as i64;
  // Exactly between two doubles, as far as can be seen.
  if (low === 0 && (high & 0x1ff) === 0 && (bits & 3) === 1) return false;
  bits = (bits + (bits & 1)) >> 1;
  if (bits >> 53 !== 0) {
    bits >>= 1;
    exponent2++;
  }
  if (exponent2 < 1 || exponent2 > 2046) return false;
  value = ((exponent2 as u64) << 52) | (bits & 0x000fffffffffffff);
  return true;
}
