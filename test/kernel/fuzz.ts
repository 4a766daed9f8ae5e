/**
 * Differential mutation fuzz of the kernels: `node test/kernel/fuzz.ts [--runs N] [--seed S]`. Every input is made from
 * `seed + number of the run` alone, so the seed that a failure prints repeats it with `--runs 1 --seed …`.
 */
import { parseArgs } from 'node:util';
import { mutate, randomWriteRequest } from './support/bodies.ts';
import { Differential } from './support/differential.ts';
import { compare, randomRequest } from './support/expansion.ts';
import { Random } from './support/random.ts';

const PROGRESS_RUNS = 1_000_000;
/** How many inputs there are for one of remote write 2.0. */
const SECOND_EVERY = 4;

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
  compare(random.chance(0.3) ? request : mutate(random, request));
}

/** Runs `runs` inputs; throws at the first disagreement, with its seed. */
export function fuzz(runs: number, seed: number, progress?: (run: number) => void): Differential {
  const differential = new Differential();
  for (let run = 0; run < runs; run++) {
    try {
      fuzzOnce(differential, seed + run);
      if (run % SECOND_EVERY === 0) fuzzOnce2(seed + run);
    } catch (cause) {
      throw new Error(`fuzz failed; repeat it with: node test/kernel/fuzz.ts --runs 1 --seed ${seed + run}`, {
        cause,
      });
    }
    if ((run + 1) % PROGRESS_RUNS === 0) progress?.(run + 1);
  }
  return differential;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
  const runs = Number(values.runs ?? process.env.FUZZ_RUNS ?? 100_000);
  const seed = Number(values.seed ?? process.hrtime.bigint() % 2n ** 32n);
  console.log(`kernel fuzz: ${runs} runs from seed ${seed}`);
  const { accepted, refused } = fuzz(runs, seed, (run) => console.log(`${run} runs`));
  console.log(`all agree: ${accepted} accepted, ${refused} refused`);
}
