/** Writes single elements of snappy; up to 15 bytes behind them are written over. */
import { Block } from './same';

const LITERAL_BYTES_MAX: usize = 65536;

/** The bytes from `from` to `to`, however many; returns where the next element goes. */
export function literal(dst: usize, from: usize, to: usize): usize {
  let out = dst;
  for (let at = from; at < to; ) {
    const length = min(to - at, LITERAL_BYTES_MAX);
    const n = length - 1;
    if (n < 60) store<u8>(out++, n << 2);
    else if (n < 256) {
      store<u8>(out, 60 << 2);
      store<u8>(out, n, 1);
      out += 2;
    } else {
      store<u8>(out, 61 << 2);
      store<u16>(out, n, 1);
      out += 3;
    }
    Block.copy(out, at, length);
    out += length;
    at += length;
  }
  return out;
}

/** A copy of 4 bytes or more, as several where one cannot be so long; returns where the next element goes. */
export function copies(dst: usize, offset: usize, length: usize): usize {
  let out = dst;
  let rest = length;
  while (rest >= 68) {
    store<u8>(out, (63 << 2) | 2);
    store<u16>(out, offset, 1);
    out += 3;
    rest -= 64;
  }
  if (rest > 64) {
    // Leaves at least 4, the least that a copy of the short kind can have.
    store<u8>(out, (59 << 2) | 2);
    store<u16>(out, offset, 1);
    out += 3;
    rest -= 60;
  }
  if (rest >= 12 || offset >= 2048) {
    store<u8>(out, ((rest - 1) << 2) | 2);
    store<u16>(out, offset, 1);
    return out + 3;
  }
  store<u8>(out, ((offset >> 8) << 5) | ((rest - 4) << 2) | 1);
  store<u8>(out, offset, 1);
  return out + 2;
}
