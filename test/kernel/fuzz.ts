/**
 * Differential mutation fuzz of the kernels: `node test/kernel/fuzz.ts [--runs N] [--seed S] [--minutes M]`, in a thread that is
 * watched. Every input is made from `seed + number of the run` alone, so the seed that a failure prints repeats it with
 * `--runs 1 --seed …`.
 */
import { parseArgs } from 'node:util';
import { isMainThread, workerData } from 'node:worker_threads';
import { inputWatch, shown, watch } from '../support/watchdog.ts';
import { mutate, randomWriteRequest } from './support/bodies.ts';
import { Differential } from './support/differential.ts';
import { compare, randomRequest } from './support/expansion.ts';
import { Random } from './support/random.ts';

/** How many inputs there are for one of remote write 2.0. */
const SECOND_EVERY = 4;
const INPUT_MS_MAX = 30_000;
const GROWTH_BYTES_MAX = 512 * 1024 * 1024;
const MINUTE_MS = 60_000;

/** One input: half of them WriteRequests, half snappy blocks; most of both damaged. */
export function fuzzOnce(differential: Differential, seed: number): void {
  const random = new Random(seed);
  const body = randomWriteRequest(random);
  const kind = random.below(16);
  if (kind === 0) differential.writeRequest(body);
  else if (kind < 8) differential.writeRequest(mutate(random, body));
  else {
    // Random bytes among the body make literals of all sizes.
    const content = Buffer.concat([body, random.bytes(random.below(100)), body.subarray(0, 200)]);
    const block = differential.snappyRoundTrip(content);
    if (kind > 8) differential.snappyBlock(mutate(random, block));
  }
}

/** One request of remote write 2.0; most are damaged. */
export function fuzzOnce2(seed: number): void {
  const random = new Random(seed);
  const request = randomRequest(random);
  compare(random.chance(0.3) ? request : mutate(random, request), seed % 2 === 0);
}

/** Runs `runs` inputs, until `watch` says no; throws at the first disagreement, with its seed. */
export function fuzz(runs: number, seed: number, watch: (run: number) => boolean = () => true): Differential {
  const differential = new Differential();
  for (let run = 0; run < runs && watch(run); run++) {
    try {
      fuzzOnce(differential, seed + run);
      if (run % SECOND_EVERY === 0) fuzzOnce2(seed + run);
    } catch (cause) {
      throw new Error(`fuzz failed; repeat it with: node test/kernel/fuzz.ts --runs 1 --seed ${seed + run}`, {
        cause,
      });
    }
  }
  return differential;
}

interface Work {
  readonly runs: number;
  readonly seed: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: process.env.FUZZ_RUNS ?? '100000' },
      seed: { type: 'string', default: process.env.SEED ?? String(process.hrtime.bigint() % 2n ** 31n) },
      minutes: { type: 'string', default: process.env.FUZZ_MINUTES ?? '60' },
    },
  });
  const [runs, seed] = [Number(values.runs), Number(values.seed)];
  console.log(`fuzz of kernels from seed ${seed}: ${runs} inputs`);
  const outcome = await watch({
    worker: new URL(import.meta.url),
    data: { runs, seed } satisfies Work,
    nameOf: (input) => `the input of --runs 1 --seed ${seed + input}`,
    inputMsMax: INPUT_MS_MAX,
    growthBytesMax: GROWTH_BYTES_MAX,
    budgetMs: Number(values.minutes) * MINUTE_MS,
  });
  console.log(shown(outcome));
}

if (!isMainThread) {
  const { runs, seed } = workerData as Work;
  const { accepted, refused } = fuzz(runs, seed, inputWatch());
  console.log(`all agree: ${accepted} accepted, ${refused} refused`);
} else if (import.meta.main) await main();
