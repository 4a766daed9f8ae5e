/** A small program's options, and loading them from texts. */
import { collect } from '../../src/config/collect.ts';
import { type LoadInput, loadConfig } from '../../src/config/load.ts';
import { options } from '../../src/config/option.ts';
import { configOptions, destinationOptions } from '../../src/config/options.ts';
import { formatProblem } from '../../src/config/problem.ts';

export const someOptions = options({
  listen: { kind: 'string', arity: 'list', default: [':1'], summary: 'Where.' },
  'listen.tls': { kind: 'bool', arity: 'list', default: [], summary: 'How.' },
  level: { kind: 'string', default: 'INFO', choices: ['INFO', 'WARN', 'ERROR'], summary: 'What.' },
  workers: { kind: 'int', default: 4, min: 1, max: 64, summary: 'How many.', aliases: ['threads'] },
  ratio: { kind: 'float', default: 0.5, summary: 'How much.' },
  'wait.max': { kind: 'duration', default: 1000, summary: 'How long.' },
  metadata: { kind: 'bool', default: true, summary: 'Whether.' },
  authKey: { kind: 'secret', default: undefined, summary: 'Who.' },
  'remoteWrite.blockSize': { kind: 'bytes', default: 8388608, max: 33554432, summary: 'How large.' },
  'remoteWrite.timeout': { kind: 'duration', arity: 'destination', default: 42_000, summary: 'How long.' },
  'remoteWrite.queues': { kind: 'int', arity: 'destination', default: 8, summary: 'How many.' },
  'remoteWrite.insecure': { kind: 'bool', arity: 'destination', default: false, summary: 'Whether.' },
  'remoteWrite.auth.user': { kind: 'string', arity: 'destination', default: '', summary: 'Who.' },
  'remoteWrite.auth.password': { kind: 'secret', arity: 'destination', default: undefined, summary: 'What.' },
});

export const someSchema = collect([
  { title: 'Configuration', options: configOptions },
  { title: 'Destinations', options: destinationOptions },
  { title: 'Some', options: someOptions },
]);

type Given = Partial<Omit<LoadInput<typeof someSchema.table>, 'schema'>> & {
  /** The text of the file `c.yaml`, which is then given as -config. */
  readonly yaml?: string;
};

export const ONE_URL = '-remoteWrite.url=http://one/api/v1/write';

/** Loads it; problems and warnings are lines. */
export async function load({ yaml, args = [], env = {}, ...rest }: Given) {
  const { config, problems } = await loadConfig({
    schema: someSchema,
    args: yaml === undefined ? args : ['-config=c.yaml', ...args],
    env,
    readText: (path) =>
      path === 'c.yaml' ? Promise.resolve(yaml ?? '') : Promise.reject(new Error(`no ${path}`)),
    ...rest,
  });
  return {
    config,
    values: config.values,
    destinations: config.destinations,
    problems: problems.map(formatProblem),
    warnings: config.warnings.map(formatProblem),
  };
}

/** Loads it with one destination, and without problems. */
export async function loadValid(given: Given) {
  const loaded = await load(given);
  if (loaded.problems.length > 0) throw new Error(loaded.problems.join('\n'));
  return loaded;
}
