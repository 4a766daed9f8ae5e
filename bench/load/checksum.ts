/**
 * The account of what was sent or has arrived: how many samples, and the sum (mod 2^64) of the hashes of the bytes of
 * the series messages that hold them. The bytes of a `TimeSeries` message are its labels, value and timestamp, so two accounts are equal
 * when the same samples came the same number of times, in whatever order and grouping.
 */
import xxhash from 'xxhash-wasm';

export interface Account {
  samples: number;
  checksum: bigint;
}

const { h64Raw } = await xxhash();

const SERIES_TAG = 0x0a;
const SAMPLE_FIELD = 2;

/** Adds the series of one decoded WriteRequest; other fields (metadata) are skipped. Throws on malformed bytes. */
export function addRequest(account: Account, raw: Uint8Array): void {
  const sum = new BigUint64Array(1);
  let at = 0;
  /** Where the message at hand ends. */
  let end = raw.length;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= end) throw new Error(`cut off in a varint at byte ${at}`);
      const byte = raw[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  /** Tag of the field at hand, whose payload begins at `at`; returns where that ends. */
  let tag = 0;
  const field = (): number => {
    tag = varint();
    if ((tag & 7) !== 2)
      throw new Error(`unexpected field ${tag >> 3} of wire type ${tag & 7} at byte ${at}`);
    const length = varint();
    if (at + length > end) throw new Error(`field of ${length} bytes at byte ${at} goes past the end`);
    return at + length;
  };
  while (at < raw.length) {
    const next = field();
    if (tag === SERIES_TAG) {
      sum[0]! += h64Raw(raw.subarray(at, next));
      end = next;
      while (at < next) {
        const sampleEnd = field();
        if (tag >> 3 === SAMPLE_FIELD) account.samples++;
        at = sampleEnd;
      }
      end = raw.length;
    }
    at = next;
  }
  account.checksum = BigInt.asUintN(64, account.checksum + sum[0]!);
}

export function addAccount(into: Account, more: Account, times = 1): void {
  into.samples += more.samples * times;
  into.checksum = BigInt.asUintN(64, into.checksum + more.checksum * BigInt(times));
}

export const emptyAccount = (): Account => ({ samples: 0, checksum: 0n });
