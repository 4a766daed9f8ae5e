/**
 * `npm run test:fuzz`: every parser of the registry, in a thread that is watched for inputs that do not end and for memory that
 * is not given back. Options: --protocol NAME, --runs N in all (FUZZ_RUNS), --seed S (SEED), --minutes M in all (FUZZ_MINUTES).
 */

import { parseArgs } from 'node:util';
import { isMainThread, workerData } from 'node:worker_threads';
import { protocolOf, protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { inputWatch, shown, watch } from '../support/watchdog.ts';
import { corpusOf } from './corpus.ts';
import { fuzz } from './support.ts';

const INPUT_MS_MAX = 30_000;
/** The largest of all tables and buffers of a parser, and what the collector has not yet got to. */
const GROWTH_BYTES_MAX = 512 * 1024 * 1024;
const MINUTE_MS = 60_000;

interface Work {
  readonly name: string;
  readonly runs: number;
  readonly seed: number;
}

/** In the thread. */
function work({ name, runs, seed }: Work): void {
  const protocol = protocolOf(name)!;
  const { bodies, given } = corpusOf(protocol);
  fuzz(protocol, bodies, given, { runs, seed, watch: inputWatch() });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      protocol: { type: 'string' },
      runs: { type: 'string', default: process.env.FUZZ_RUNS ?? '1000000' },
      seed: { type: 'string', default: process.env.SEED ?? String(process.hrtime.bigint() % 2n ** 31n) },
      minutes: { type: 'string', default: process.env.FUZZ_MINUTES ?? '60' },
    },
  });
  const seed = Number(values.seed);
  const parsed = Object.values<Protocol>(protocols).filter(({ parse }) => parse !== undefined);
  const chosen = parsed.filter(({ name }) => values.protocol === undefined || values.protocol === name);
  if (chosen.length === 0)
    throw new Error(`no parser is called ${values.protocol}; there are ${Object.keys(protocols).join(', ')}`);
  const runs = Math.ceil(Number(values.runs) / chosen.length);
  const budgetMs = (Number(values.minutes) * MINUTE_MS) / chosen.length;
  console.log(`fuzz of parsers from seed ${seed}: ${runs} inputs each`);
  let inputs = 0;
  for (const { name } of chosen) {
    const outcome = await watch({
      worker: new URL(import.meta.url),
      data: { name, runs, seed } satisfies Work,
      nameOf: (input) => `the input of --protocol ${name} --runs 1 --seed ${seed + input}`,
      inputMsMax: INPUT_MS_MAX,
      growthBytesMax: GROWTH_BYTES_MAX,
      budgetMs,
    });
    inputs += outcome.inputs;
    console.log(`${name}: ${shown(outcome)}`);
  }
  console.log(`${inputs} inputs: no parser threw, hung, grew, or wrote what is no WriteRequest`);
}

if (!isMainThread) work(workerData as Work);
else if (import.meta.main) await main();
