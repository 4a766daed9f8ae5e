/** How fast a backlog grows or shrinks, and when it will be full or gone if that goes on. Pure. */
const WINDOW_MS = 60_000;
/** With less than this behind it, a rate is noise. */
const SPAN_MS_MIN = 5_000;

interface Point {
  readonly atMs: number;
  readonly bytes: number;
}

export class Trend {
  #points: Point[] = [];

  /** Call it regularly with what waits now; times are monotonic. */
  note(bytes: number, atMs: number): void {
    this.#points.push({ atMs, bytes });
    while (this.#points.length > 2 && atMs - this.#points[0]!.atMs > WINDOW_MS) this.#points.shift();
  }

  /** Bytes a second over the last minute; 0 while that is not known. */
  get bytesPerSecond(): number {
    const [first] = this.#points;
    const last = this.#points.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < SPAN_MS_MIN) return 0;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  }

  /** Seconds until `room` more bytes wait; Infinity if they never will. */
  secondsToFull(room: number): number {
    const rate = this.bytesPerSecond;
    return rate > 0 ? Math.max(0, room) / rate : Number.POSITIVE_INFINITY;
  }

  /** Seconds until nothing waits; 0 when nothing does, Infinity if it does not shrink. */
  get secondsToDrain(): number {
    const bytes = this.#points.at(-1)?.bytes ?? 0;
    if (bytes === 0) return 0;
    const rate = this.bytesPerSecond;
    return rate < 0 ? bytes / -rate : Number.POSITIVE_INFINITY;
  }
}
