/** The rules of all components about the configuration, for the start, -dryRun and commands that read a configuration. */
import { checkAggregation } from './aggregation.ts';
import type { Check } from './config/check.ts';
import { checkDestination, checkUrl } from './deliver/check.ts';
import { checkDistribution } from './distribution.ts';
import type { schema } from './options.ts';
import { checkOpentelemetry } from './protocol/opentelemetry-options.ts';
import { checkRouting } from './route/routing.ts';
import { checkShaping } from './shaping.ts';

export function checksOf(
  env: Readonly<Record<string, string | undefined>>,
): readonly Check<typeof schema.table>[] {
  return [
    ({ destinations }) =>
      destinations.flatMap(({ url, values, where }) => [
        ...checkUrl(url, where),
        ...checkDestination(values, where),
      ]),
    (config) => checkShaping(config, { env }),
    (config) => checkAggregation(config, env),
    checkRouting,
    checkDistribution,
    // The options of protocols have no types here.
    (config) => checkOpentelemetry(config.values, (name) => config.where(name as never)),
  ];
}
