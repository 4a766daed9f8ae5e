// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/** Copies and comparisons by sixteen bytes, which reach a little beyond their ends: there is slack. */

/** Copies by sixteen bytes: up to fifteen more are written. */
export class Block {
  @inline
  static copy(dst: usize, src: usize, length: usize): void {
    v128.store(dst, v128.load(src));
    for (let at: usize = 16; at < length; at += 16) v128.store(dst + at, v128.load(src + at));
  }
}

/** Whether two texts of this length, which is not 0, are the same. Reads up to fifteen bytes more. */
export class Same {
  @inline
  static bytes(a: usize, b: usize, length: usize): bool {
    if (length < 16) {
      const differs = i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)));
      return (differs & ((1 << (length as i32)) - 1)) === 0;
    }
    const last = length - 16;
    let differs = v128.xor(v128.load(a + last), v128.load(b + last));
    for (let at: usize = 0; at < last; at += 16) {
      differs = v128.or(differs, v128.xor(v128.load(a + at), v128.load(b + at)));
    }
    return !v128.any_true(differs);
  }

  /** The same for a text that may end before: stops where they differ, and reads up to fifteen bytes more than that. */
  @inline
  static text(a: usize, b: usize, length: usize): bool {
    let at: usize = 0;
    for (; at + 16 <= length; at += 16) {
      if (v128.any_true(v128.xor(v128.load(a + at), v128.load(b + at)))) return false;
    }
    const differs = i8x16.bitmask(i8x16.ne(v128.load(a + at), v128.load(b + at)));
    return (differs & ((1 << ((length - at) as i32)) - 1)) === 0;
  }
}
