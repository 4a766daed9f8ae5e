/**
 * The clock port. Everything that reads time or waits takes a `Clock`, so that tests can drive it.
 * Wall time is for timestamps only; waiting and measuring use monotonic time, so that a clock jump moves nothing.
 */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Monotonic time in milliseconds; only differences mean something. */
  monotonicMs(): number;
  /** Runs `callback` after `delayMs`; the returned function cancels. The timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

const FOR_EVER_MS = 2 ** 31 - 1;

/** Keeps the process alive, which no timer of a clock does; the returned function ends that. */
export function keepAlive(): () => void {
  const timer = setInterval(() => {}, FOR_EVER_MS);
  return () => clearInterval(timer);
}

/** Resolves after `delayMs`, or at once when `signal` aborts; tells whether the whole time went by. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(false);
    const onAbort = () => {
      cancel();
      resolve(false);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(true);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
