/**
 * Runs a fuzz in a thread of its own and watches it from outside, as a loop that does not end can only be seen from there:
 * no input may take too long, and all of them together must not make the process grow.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker, workerData } from 'node:worker_threads';

const LOOK_EVERY_MS = 200;

export interface WatchedRun {
  /** A file, or code where `isCode` says so. It calls `inputWatch` for every input. */
  readonly worker: string | URL;
  readonly isCode?: boolean;
  readonly data?: Readonly<Record<string, unknown>>;
  /** What an input is called in an error; they are numbered from 0. */
  readonly nameOf: (input: number) => string;
  readonly inputMsMax: number;
  /** By how much the memory of the process may grow. */
  readonly growthBytesMax: number;
  /** After this it is told to end. */
  readonly budgetMs: number;
}

export interface WatchedOutcome {
  readonly inputs: number;
  readonly seconds: number;
  readonly growthBytes: number;
}

export function shown({ inputs, seconds, growthBytes }: WatchedOutcome): string {
  const microseconds = Math.round((seconds * 1e6) / inputs);
  return `${inputs} inputs, ${microseconds} µs each, memory +${Math.round(growthBytes / 1024 / 1024)} MiB`;
}

/** Slots of the memory that both threads have. */
const INPUT = 0;
const STOP = 1;

/** For the thread: notes which input begins; false when it is to end. */
export function inputWatch(): (input: number) => boolean {
  const shared = new Int32Array((workerData as { shared: SharedArrayBuffer }).shared);
  return (input) => {
    Atomics.store(shared, INPUT, input + 1);
    return Atomics.load(shared, STOP) === 0;
  };
}

/** Rejects with what the thread throws, or with which input takes too long or too much. */
export async function watch(run: WatchedRun): Promise<WatchedOutcome> {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const startBytes = process.memoryUsage.rss();
  const startMs = performance.now();
  const worker = new Worker(run.worker, {
    eval: run.isCode === true,
    workerData: { ...run.data, shared: shared.buffer },
  });
  let isDone = false;
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  }).finally(() => {
    isDone = true;
  });
  let growthBytes = 0;
  const look = async () => {
    let last = 0;
    let sinceMs = startMs;
    while (!isDone) {
      await delay(LOOK_EVERY_MS);
      const nowMs = performance.now();
      const input = Atomics.load(shared, INPUT);
      if (input !== last) {
        last = input;
        sinceMs = nowMs;
      }
      growthBytes = Math.max(growthBytes, process.memoryUsage.rss() - startBytes);
      if (input > 0 && nowMs - sinceMs > run.inputMsMax)
        throw new Error(`${run.nameOf(input - 1)} takes longer than ${run.inputMsMax / 1000} s`);
      if (growthBytes > run.growthBytesMax)
        throw new Error(`at ${run.nameOf(input - 1)} the process has grown by ${growthBytes} bytes`);
      if (nowMs - startMs > run.budgetMs) Atomics.store(shared, STOP, 1);
    }
  };
  try {
    await Promise.race([ended, look()]);
    await ended;
  } finally {
    await worker.terminate();
  }
  const inputs = Atomics.load(shared, INPUT) - Atomics.load(shared, STOP);
  return { inputs, seconds: (performance.now() - startMs) / 1000, growthBytes };
}
