/**
 * `npm test`: every test/**\/*.test.ts but the long ones. `npm run test:long`: test/long. `npm run test:faults`: test/faults
 * with many rounds. `npm run test:fuzz`: the fuzz.ts scripts, ten million inputs each or an hour. Further arguments go to `node --test`; paths among them replace the whole list.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

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

/** Folders whose tests start programs, or ask about the whole process that they are in. */
const ALONE = ['bench', 'cli', 'conformance', 'e2e', 'faults', 'scripts', 'support', 'telemetry'];
/** Generated: each imports the test files of a part of the other folders. */
const partsFolder = join(root, '.cache', 'test');

/**
 * A process for each file would spend more on its start than on its tests, so most of them share a few. End-to-end tests mostly
 * wait, so they run beside those.
 */
function everydayFiles(): string[] {
  const files = find('test/**/*.test.ts').filter((file) => !file.startsWith(join('test', 'long')));
  const isAlone = (file: string) => {
    const [, folder, ...rest] = file.split(sep);
    return rest.length === 0 || ALONE.includes(folder!);
  };
  const isEndToEnd = (file: string) => file.startsWith(join('test', 'e2e'));
  const alone = files.filter(isAlone);
  const shared = files.filter((file) => !isAlone(file));
  const [first, ...rest] = parts(shared, 4);
  return [first!, ...alone.filter(isEndToEnd), ...alone.filter((file) => !isEndToEnd(file)), ...rest];
}

function parts(files: readonly string[], count: number): string[] {
  rmSync(partsFolder, { recursive: true, force: true });
  mkdirSync(partsFolder, { recursive: true });
  return Array.from({ length: count }, (_, part) => {
    const own = files.filter((_, index) => index % count === part);
    const path = join(partsFolder, `part-${part + 1}.test.mjs`);
    writeFileSync(
      path,
      own.map((file) => `import ${JSON.stringify(pathToFileURL(join(root, file)))};\n`).join(''),
    );
    return path;
  });
}

const plans: Record<string, () => Plan> = {
  everyday: () => ({
    files: everydayFiles(),
    // Of a whole process.
    timeoutMs: 6 * MINUTE_MS,
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
