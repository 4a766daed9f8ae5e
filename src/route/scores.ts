/**
 * Rendezvous hashing: every node has a score for every key, and the best scores get the key. A node that comes or goes
 * changes no score of another one, so that only its own keys move.
 *
 * The score is vmagent's: x = node XOR key; x ^= x >> 12; x ^= x << 25; x ^= x >> 27; x *= 2685821657736338717, modulo
 * 2^64, compared unsigned (the output function of xorshift64*, Vigna 2016). It is computed in 32-bit halves: a further
 * node costs 12 ns like this and 40 ns with BigInt, which leaves garbage besides.
 */

/** 2685821657736338717 = MULTIPLIER_HIGH × 2^32 + MULTIPLIER_LOW. */
const MULTIPLIER_HIGH = 0x2545f491;
const MULTIPLIER_LOW = 0x4f6cdd1d;
const LOW_16 = MULTIPLIER_LOW & 0xffff;
const HIGH_16 = MULTIPLIER_LOW >>> 16;
const TWO_16 = 2 ** 16;

/** One 64-bit number as two halves: platforms of Node are little-endian, the low half comes first. */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);

export class Scores {
  readonly #nodes: Uint32Array;
  /** The best scores so far, best first: low and high halves. */
  readonly #best: Uint32Array;

  /** Hashes of the nodes. */
  constructor(nodes: readonly bigint[]) {
    this.#nodes = new Uint32Array(BigUint64Array.from(nodes).buffer);
    this.#best = new Uint32Array(2 * nodes.length);
  }

  /** Writes the indexes of the `count` best nodes for a key into `out`, best first; among equals the first one wins. */
  best(key: bigint, count: number, out: number[]): void {
    whole[0] = key;
    const keyLow = halves[0]!;
    const keyHigh = halves[1]!;
    const nodes = this.#nodes;
    const best = this.#best;
    let found = 0;
    for (let at = 0; at < nodes.length; at += 2) {
      let low = nodes[at]! ^ keyLow;
      let high = nodes[at + 1]! ^ keyHigh;
      low ^= (low >>> 12) | (high << 20);
      high ^= high >>> 12;
      high ^= (high << 25) | (low >>> 7);
      low ^= low << 25;
      low ^= (low >>> 27) | (high << 5);
      high ^= high >>> 27;
      low >>>= 0;
      // The upper half of low × MULTIPLIER_LOW: both steps stay below 2^53, and dividing by 2^16 is exact.
      const carried = Math.floor((low * HIGH_16 + Math.floor((low * LOW_16) / TWO_16)) / TWO_16);
      high = (carried + Math.imul(low, MULTIPLIER_HIGH) + Math.imul(high, MULTIPLIER_LOW)) >>> 0;
      low = Math.imul(low, MULTIPLIER_LOW) >>> 0;
      let place = found;
      while (place > 0 && isAbove(high, low, best, place - 1)) place--;
      if (place >= count) continue;
      if (found < count) found++;
      for (let to = found - 1; to > place; to--) {
        best[2 * to] = best[2 * to - 2]!;
        best[2 * to + 1] = best[2 * to - 1]!;
        out[to] = out[to - 1]!;
      }
      best[2 * place] = low;
      best[2 * place + 1] = high;
      out[place] = at >>> 1;
    }
    out.length = found;
  }
}

function isAbove(high: number, low: number, best: Uint32Array, place: number): boolean {
  const other = best[2 * place + 1]!;
  return high > other || (high === other && low > best[2 * place]!);
}
