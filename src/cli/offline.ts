/** A configuration without a running relay: what it would do with series. */
import { checksOf } from '../checks.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { ExplainerSource } from '../explainer.ts';
import { schema } from '../options.ts';
import { routingOf } from '../route/routing.ts';
import { readRuleFiles, shapeOf } from '../shaping.ts';
import { SluiceError } from '../util/error.ts';

export interface Offline {
  readonly source: ExplainerSource;
  readonly dataDirectory: string;
}

/** Reads a configuration as the daemon does. Throws a SluiceError that tells all problems. */
export async function readOffline(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Offline> {
  const { config, problems } = await loadConfig({ schema, args, env, checks: checksOf(env) });
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  ${formatProblem(problem)}`).join('');
    throw new SluiceError('configuration', `cannot use the configuration:${list}`);
  }
  const { files } = await readRuleFiles(config, { env });
  const { config: shape, formOf } = shapeOf(config, files);
  const routing = routingOf(config.values, config.destinations);
  const isShard = routing.kind === 'shard';
  return {
    dataDirectory: config.values['remoteWrite.tmpDataPath'],
    source: {
      shape: { ...shape, ...(isShard && { placement: routing.placement }) },
      routing: routing.kind,
      destinations: config.destinations.map(({ name }, index) => ({
        name,
        form: formOf[index]!,
        shard: isShard ? index : undefined,
      })),
    },
  };
}
