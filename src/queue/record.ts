/** Between a block in memory, which knows monotonic time, and its record in a file, which knows wall time. */
import type { Block, Codec } from '../model/block.ts';
import type { Clock } from '../util/clock.ts';
import type { RecordHeader } from './file/format.ts';
import type { NewRecord } from './file/log.ts';

/** No block is older than the program: such a time was read from a clock that was not set. */
const PLAUSIBLE_MS = Date.UTC(2020);
/** Less is the clock's ordinary course. */
const JUMP_MS = 1_000;
/** The clock is set now and then, not all the time. */
const JUMPS_MAX = 1_000;

/**
 * How far wall time is from monotonic time: since the start of this run for records of earlier ones, and for those of this
 * run as it was when they were written. So a clock that is set while the relay runs makes nothing older or younger.
 */
export class WallTime {
  readonly #clock: Clock;
  /** Wall minus monotonic time from a record on, in order. */
  readonly #offsets: { readonly fromSeq: number; readonly ms: number }[];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsets = [{ fromSeq: 0, ms: this.now }];
  }

  get now(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }

  /** Records from `fromSeq` on were written with this offset. */
  note(fromSeq: number, ms: number): void {
    if (Math.abs(ms - this.#offsets.at(-1)!.ms) < JUMP_MS) return;
    this.#offsets.push({ fromSeq, ms });
    if (this.#offsets.length > JUMPS_MAX) this.#offsets.shift();
  }

  of(seq: number): number {
    return (this.#offsets.findLast(({ fromSeq }) => fromSeq <= seq) ?? this.#offsets[0]!).ms;
  }
}

export function recordOf(
  { codec, bytes, rawLength, counts, slots, bornMs }: Block,
  wallOffsetMs: number,
): NewRecord {
  const bornAtMs = bornMs + wallOffsetMs;
  return { header: { type: codec, rawLength, counts, slots, bornAtMs }, payload: [bytes] };
}

/** Its age goes on from where it was; a wall clock that was set back makes it new, not younger than new. */
export function blockOf(
  header: RecordHeader,
  payload: Uint8Array,
  nowMs: number,
  wallOffsetMs: number,
): Block {
  const isPlausible = header.bornAtMs >= PLAUSIBLE_MS;
  return {
    seq: header.seq,
    codec: header.type as Codec,
    bytes: payload,
    rawLength: header.rawLength,
    counts: header.counts,
    slots: header.slots,
    bornMs: isPlausible ? Math.min(nowMs, header.bornAtMs - wallOffsetMs) : nowMs,
    firstBody: 0,
  };
}
