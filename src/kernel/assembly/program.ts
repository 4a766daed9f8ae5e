// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * Programs that make a text of the one before it: steps of "skip s bytes of the text before, copy c bytes of it, then put l
 * bytes that follow here"; s, c, l a byte each.
 */
import { copy } from './bytes';

export const STEP_BYTES: usize = 3;
const STEP_MAX: usize = 255;
/** Fewer bytes are not worth a step of their own. */
export const COPY_MIN: usize = 4;
const QUOTE: u8 = 0x22;

/** 16 bytes that count and 16 that do not. */
const MASKS: usize = memory.data<u64>([u64.MAX_VALUE, u64.MAX_VALUE, 0, 0], 16);

export class Program {
  /** Whether what stands at `text` is what the program makes of `before`; reads up to 16 bytes more of each. */
  @inline
  static makes(program: usize, programEnd: usize, before: usize, text: usize): bool {
    let p = program;
    let from = before;
    let q = text;
    let unequal = v128.splat<u64>(0);
    while (p < programEnd) {
      from += load<u8>(p) as usize;
      let n = load<u8>(p, 1) as usize;
      const literal = load<u8>(p, 2) as usize;
      p += STEP_BYTES;
      for (; n >= 16; n -= 16) {
        unequal = v128.or(unequal, v128.xor(v128.load(q), v128.load(from)));
        q += 16;
        from += 16;
      }
      unequal = v128.or(
        unequal,
        v128.and(v128.xor(v128.load(q), v128.load(from)), v128.load(MASKS + 16 - n)),
      );
      q += n;
      from += n;
      for (n = literal; n >= 16; n -= 16) {
        unequal = v128.or(unequal, v128.xor(v128.load(q), v128.load(p)));
        q += 16;
        p += 16;
      }
      unequal = v128.or(unequal, v128.and(v128.xor(v128.load(q), v128.load(p)), v128.load(MASKS + 16 - n)));
      q += n;
      p += n;
      if (v128.any_true(unequal)) return false;
    }
    return true;
  }
}

/** The program that was written last; a text of 4,096 bytes takes three more for each 255 of them, and each copy saves one. */
export const WRITTEN: usize = memory.data(8192, 16);
let step: usize = 0;
let tail: usize = 0;

function beginStep(): void {
  step = tail;
  store<u32>(step, 0);
  tail += STEP_BYTES;
}

function putLiteral(ptr: usize, n: usize): void {
  for (let at: usize = 0; at < n; ) {
    if ((load<u8>(step, 2) as usize) === STEP_MAX) beginStep();
    const already = load<u8>(step, 2) as usize;
    const part = min(n - at, STEP_MAX - already);
    copy(tail, ptr + at, part);
    tail += part;
    store<u8>(step, already + part, 2);
    at += part;
  }
}

/** Behind what was put so far: skips bytes of the text before, and copies some. */
function putCopy(skipped: usize, n: usize): void {
  for (let rest = skipped; rest > 0; ) {
    if (load<u8>(step, 1) !== 0 || load<u8>(step, 2) !== 0 || load<u8>(step) !== 0) beginStep();
    const part = min(rest, STEP_MAX);
    store<u8>(step, part);
    rest -= part;
  }
  for (let rest = n; rest > 0; ) {
    if (load<u8>(step, 2) !== 0 || (load<u8>(step, 1) as usize) === STEP_MAX) beginStep();
    const already = load<u8>(step, 1) as usize;
    const part = min(rest, STEP_MAX - already);
    store<u8>(step, already + part, 1);
    rest -= part;
  }
}

/** Where the next quote stands, or `end`. */
function quoteIn(from: usize, end: usize): usize {
  let p = from;
  while (p < end && load<u8>(p) !== QUOTE) p++;
  return p;
}

/**
 * Writes to `WRITTEN` how the text at `b` is made of that at `a`, of which it has beginning and end in common, and values of
 * labels between them; returns the length of the program. A length of 0 at `a`: all of it is in the program.
 */
export function write(a: usize, aLength: usize, b: usize, bLength: usize): usize {
  tail = WRITTEN;
  beginStep();
  const shorter = min(aLength, bLength);
  let suffix: usize = 0;
  while (suffix < shorter && load<u8>(a + aLength - 1 - suffix) === load<u8>(b + bLength - 1 - suffix))
    suffix++;
  const aMiddle = a + aLength - suffix;
  const bMiddle = b + bLength - suffix;
  // What of the text before was used, and what of this one is written.
  let used = a;
  let from = a;
  let at = b;
  while (at < bMiddle) {
    let same: usize = 0;
    while (from + same < aMiddle && at + same < bMiddle && load<u8>(from + same) === load<u8>(at + same))
      same++;
    if (same >= COPY_MIN) {
      putCopy(from - used, same);
      used = from + same;
    } else putLiteral(at, same);
    from += same;
    at += same;
    const quote = quoteIn(at, bMiddle);
    putLiteral(at, quote - at);
    at = quote;
    from = quoteIn(from, aMiddle);
    if (at < bMiddle && from >= aMiddle) {
      putLiteral(at, bMiddle - at);
      at = bMiddle;
    }
  }
  if (suffix >= COPY_MIN) putCopy(aMiddle - used, suffix);
  else putLiteral(bMiddle, suffix);
  return tail - WRITTEN;
}
