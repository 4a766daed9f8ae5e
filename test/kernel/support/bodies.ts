/**
 * WriteRequests as fuzz input: mostly what senders write, with every legal oddity now and then (fields out of order,
 * repeated and unknown fields, non-minimal varints, empty strings, long values), and mutations of such bodies.
 */
import type { Random } from './random.ts';

const NAMES = ['__name__', 'instance', 'job', 'namespace', 'pod', 'le', 'ä'];
const VALUES = ['up', 'node', '10.0.0.1:9100', 'kube-system', '0.5', '+Inf', 'x'.repeat(140), 'ü', ''];
const STALE_MARKER = Uint8Array.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);

/** How often something odd is written, from 0 (canonical) to 1. */
interface Oddity {
  readonly random: Random;
  readonly rate: number;
}

function odd({ random, rate }: Oddity, weight = 1): boolean {
  return rate > 0 && random.chance(rate * weight);
}

function varint(odds: Oddity, value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  } while (rest > 0n);
  // Padding with zeros keeps the value; tags and lengths have at most five bytes.
  if (bytes.length < 4 && odd(odds, 0.1)) bytes.push(128);
  bytes[bytes.length - 1]! &= 127;
  return Buffer.from(bytes);
}

function field(odds: Oddity, number: number, payload: Uint8Array): Buffer {
  return Buffer.concat([varint(odds, BigInt(number * 8 + 2)), varint(odds, BigInt(payload.length)), payload]);
}

function number(odds: Oddity, fieldNumber: number, value: bigint): Buffer {
  return Buffer.concat([varint(odds, BigInt(fieldNumber * 8)), varint(odds, value)]);
}

function fixed64(odds: Oddity, fieldNumber: number, bits: Uint8Array): Buffer {
  return Buffer.concat([varint(odds, BigInt(fieldNumber * 8 + 1)), bits]);
}

function unknown(odds: Oddity): Buffer {
  const { random } = odds;
  const fieldNumber = random.pick([17, 18, 100, 536870911]);
  const kind = random.below(4);
  if (kind === 0) return number(odds, fieldNumber, BigInt(random.u32()));
  if (kind === 1) return fixed64(odds, fieldNumber, random.bytes(8));
  if (kind === 2) return field(odds, fieldNumber, random.bytes(random.below(20)));
  return Buffer.concat([varint(odds, BigInt(fieldNumber * 8 + 5)), random.bytes(4)]);
}

/** Joins fields, now and then shuffled, doubled, or with an unknown one among them. */
function message(odds: Oddity, fields: readonly Buffer[]): Buffer {
  const { random } = odds;
  const all = [...fields];
  if (odd(odds, 0.3)) all.splice(random.below(all.length + 1), 0, unknown(odds));
  if (all.length > 1 && odd(odds, 0.3)) {
    const from = random.below(all.length);
    const [moved] = all.splice(from, 1);
    all.splice(random.below(all.length + 1), 0, moved!);
  }
  if (all.length > 0 && odd(odds, 0.2)) all.push(random.pick(all));
  return Buffer.concat(all);
}

function label(odds: Oddity): Buffer {
  const { random } = odds;
  const name = Buffer.from(random.pick(NAMES));
  const value = Buffer.from(random.pick(VALUES));
  const fields = [field(odds, 1, name)];
  if (value.length > 0 || odd(odds, 0.3)) fields.push(field(odds, 2, value));
  return message(odds, fields);
}

function timestamp(odds: Oddity): bigint {
  const { random } = odds;
  if (random.chance(0.9)) return 1_790_000_000_000n + BigInt(random.u32());
  return random.pick([0n, 1n, -1n, 127n, 128n, 2n ** 55n, 2n ** 56n, 2n ** 63n - 1n, -(2n ** 63n)]);
}

function doubleBits(odds: Oddity): Uint8Array {
  const { random } = odds;
  if (random.chance(0.1)) return STALE_MARKER;
  if (random.chance(0.1)) return new Uint8Array(8);
  return random.bytes(8);
}

function sample(odds: Oddity): Buffer {
  const bits = doubleBits(odds);
  const at = timestamp(odds);
  const zero = bits.every((byte) => byte === 0);
  const fields = [];
  if (!zero || odds.random.chance(0.3)) fields.push(fixed64(odds, 1, bits));
  if (at !== 0n || odds.random.chance(0.3)) fields.push(number(odds, 2, at));
  return message(odds, fields);
}

function exemplar(odds: Oddity): Buffer {
  return message(odds, [
    field(odds, 1, label(odds)),
    fixed64(odds, 2, doubleBits(odds)),
    number(odds, 3, timestamp(odds)),
  ]);
}

function packed(odds: Oddity, fieldNumber: number, varints: boolean): Buffer {
  const { random } = odds;
  const items = Array.from({ length: random.below(5) }, () =>
    varints ? varint(odds, BigInt(random.u32())) : Buffer.from(random.bytes(8)),
  );
  if (odd(odds, 0.3)) {
    return Buffer.concat(
      items.map((item) => Buffer.concat([varint(odds, BigInt(fieldNumber * 8 + (varints ? 0 : 1))), item])),
    );
  }
  return field(odds, fieldNumber, Buffer.concat(items));
}

function histogram(odds: Oddity): Buffer {
  const { random } = odds;
  const span = () => message(odds, [number(odds, 1, BigInt(random.below(9))), number(odds, 2, 2n)]);
  return message(odds, [
    random.chance(0.5) ? number(odds, 1, 12n) : fixed64(odds, 2, random.bytes(8)),
    fixed64(odds, 3, random.bytes(8)),
    number(odds, 4, BigInt(random.below(9))),
    fixed64(odds, 5, random.bytes(8)),
    number(odds, 6, 3n),
    field(odds, 8, span()),
    packed(odds, 9, true),
    packed(odds, 10, false),
    field(odds, 11, span()),
    packed(odds, 12, true),
    packed(odds, 13, false),
    number(odds, 14, BigInt(random.below(4))),
    number(odds, 15, timestamp(odds)),
    packed(odds, 16, false),
  ]);
}

function metadata(odds: Oddity): Buffer {
  return message(odds, [
    number(odds, 1, BigInt(odds.random.below(9))),
    field(odds, 2, Buffer.from('http_requests_total')),
    field(odds, 4, Buffer.from('Requests.')),
    ...(odds.random.chance(0.2) ? [number(odds, 11, 7n), number(odds, 12, 9n)] : []),
  ]);
}

function times(count: number, make: () => Buffer): Buffer[] {
  return Array.from({ length: count }, make);
}

function series(odds: Oddity): Buffer {
  const { random } = odds;
  const fields = times(random.below(7), () => field(odds, 1, label(odds)));
  const kind = random.below(20);
  const samples = kind < 14 ? 1 : kind < 16 ? random.below(6) : 0;
  fields.push(...times(samples, () => field(odds, 2, sample(odds))));
  if (random.chance(0.1)) fields.push(...times(1 + random.below(2), () => field(odds, 3, exemplar(odds))));
  if (kind > 16 || odd(odds, 0.01)) fields.push(field(odds, 4, histogram(odds)));
  return message(odds, fields);
}

/** A well-formed WriteRequest (but a series may have both samples and histograms when it is odd). */
export function randomWriteRequest(random: Random, rate = random.pick([0, 0.02, 0.3])): Buffer {
  const odds = { random, rate };
  return message(odds, [
    ...times(random.below(6), () => field(odds, 1, series(odds))),
    ...times(random.chance(0.2) ? random.below(3) : 0, () => field(odds, 3, metadata(odds))),
  ]);
}

type Mutation = (random: Random, bytes: Buffer) => Uint8Array;

function changeByte(random: Random, bytes: Buffer, change: (byte: number) => number): Uint8Array {
  const changed = Buffer.from(bytes);
  const at = random.below(changed.length);
  changed[at] = change(changed[at]!) & 255;
  return changed;
}

function splice(random: Random, bytes: Buffer, from: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const removed = random.below(Math.min(12, bytes.length - at) + 1);
  return Buffer.concat([bytes.subarray(0, at), from, bytes.subarray(at + removed)]);
}

const TELLING = [0x00, 0x01, 0x09, 0x0a, 0x10, 0x12, 0x1a, 0x22, 0x0b, 0x0c, 0x7f, 0x80, 0xff];

const mutations: readonly Mutation[] = [
  (random, bytes) => changeByte(random, bytes, (byte) => byte ^ (1 << random.below(8))),
  (random, bytes) => changeByte(random, bytes, () => random.pick(TELLING)),
  // Lengths and tags that are nearly right.
  (random, bytes) => changeByte(random, bytes, (byte) => byte + random.pick([-2, -1, 1, 2, 8, -8])),
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  (random, bytes) => bytes.subarray(random.below(bytes.length)),
  (random, bytes) => {
    const from = random.below(bytes.length);
    return splice(random, bytes, bytes.subarray(from, from + random.below(30)));
  },
  (random, bytes) => splice(random, bytes, random.bytes(random.below(5))),
  // A varint that gets longer, up to and past what is legal.
  (random, bytes) => splice(random, bytes, Buffer.alloc(1 + random.below(12), 0x80)),
  (random, bytes) => splice(random, bytes, Buffer.alloc(1 + random.below(12), 0xff)),
];

/** Changes bytes in one to three places. */
export function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let mutated = Buffer.from(bytes);
  for (let left = 1 + random.below(3); left > 0 && mutated.length > 0; left--) {
    mutated = Buffer.from(random.pick(mutations)(random, mutated));
  }
  return mutated;
}
