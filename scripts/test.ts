/**
 * `npm test`: every test/**\/*.test.ts but the long ones. `npm run test:long`: test/long. `npm run test:faults`: test/faults
 * with many rounds. `npm run test:fuzz`: the fuzz.ts scripts, ten million inputs each or an hour. Further arguments go to `node --test`; paths among them replace the whole list.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const find = (pattern: string) => globSync(pattern, { cwd: root }).toSorted();

const MINUTE_MS = 60_000;
const FUZZ_RUNS = '10000000';

interface Plan {
  readonly files: readonly string[];
  /** A test that hangs must not hang the suite. */
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** End-to-end tests start first: they mostly wait, so that they and the rest end at about the same time. */
function everydayFiles(): string[] {
  const files = find('test/**/*.test.ts').filter((file) => !file.startsWith(join('test', 'long')));
  const isEndToEnd = (file: string) => file.startsWith(join('test', 'e2e'));
  return [...files.filter(isEndToEnd), ...files.filter((file) => !isEndToEnd(file))];
}

const plans: Record<string, () => Plan> = {
  everyday: () => ({
    files: everydayFiles(),
    timeoutMs: 3 * MINUTE_MS,
    concurrency: availableParallelism() + 1,
  }),
  long: () => ({
    files: find('test/long/**/*.test.ts'),
    timeoutMs: 120 * MINUTE_MS,
    concurrency: 1,
  }),
  faults: () => ({
    files: [...find('test/faults/*.test.ts'), ...find('test/queue/**/*-model.test.ts')],
    timeoutMs: 4 * 60 * MINUTE_MS,
    concurrency: 1,
    env: {
      KILLS: process.env.KILLS ?? '1000',
      STOPS: process.env.STOPS ?? '200',
      CALLS: process.env.CALLS ?? '20',
      FLIP_RECORDS: process.env.FLIP_RECORDS ?? '64',
      FUZZ_RUNS: process.env.FUZZ_RUNS ?? '100000',
    },
  }),
  fuzz: () => ({
    files: find('test/**/fuzz.ts'),
    timeoutMs: 12 * 60 * MINUTE_MS,
    concurrency: availableParallelism(),
    env: { FUZZ_RUNS: process.env.FUZZ_RUNS ?? FUZZ_RUNS },
  }),
};

const [first, ...rest] = process.argv.slice(2);
const named = first !== undefined && Object.hasOwn(plans, first);
const plan = plans[named ? first : 'everyday']!();
const extra = named ? rest : process.argv.slice(2);
const chosen = extra.filter((argument) => argument.endsWith('.ts'));
const { status } = spawnSync(
  process.execPath,
  [
    // As in bin/sluice: test processes inherit it.
    '--wasm-wrapper-tiering-budget=1000000000',
    '--test',
    `--test-concurrency=${plan.concurrency}`,
    `--test-timeout=${plan.timeoutMs}`,
    ...extra.filter((argument) => !argument.endsWith('.ts')),
    ...(chosen.length > 0 ? chosen : plan.files),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    // Most files load the same sources: kept compiled, they cost half.
    env: { NODE_COMPILE_CACHE: join(root, '.cache', 'compile'), ...process.env, ...plan.env },
  },
);
process.exitCode = status ?? 1;
