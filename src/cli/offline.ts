/** A configuration without a running relay: what it would do with series. */
import { checksOf } from '../checks.ts';
import { nameOfEndpoint } from '../config/identity.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { ExplainerSource } from '../explainer.ts';
import { schema } from '../options.ts';
import { type Endpoint, endpointUrl, hostPort } from '../route/endpoint.ts';
import { discoveryOf, routingOf } from '../route/routing.ts';
import { readRuleFiles, shapeOf } from '../shaping.ts';
import { SluiceError } from '../util/error.ts';

export interface Offline {
  readonly source: ExplainerSource;
  readonly dataDirectory: string;
}

export interface OfflineOptions {
  /** Gives the endpoints that the relay of this data directory knew last; without it a service is one destination. */
  readonly endpointsOf?: (dataDirectory: string) => Promise<readonly Endpoint[]>;
}

/** Reads a configuration as the daemon does. Throws a SluiceError that tells all problems. */
export async function readOffline(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { endpointsOf }: OfflineOptions = {},
): Promise<Offline> {
  const { config, problems } = await loadConfig({ schema, args, env, checks: checksOf(env) });
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  ${formatProblem(problem)}`).join('');
    throw new SluiceError('configuration', `cannot use the configuration:${list}`);
  }
  const { files } = await readRuleFiles(config, { env });
  const { config: shape, formOf } = shapeOf(config, files);
  const dataDirectory = config.values['remoteWrite.tmpDataPath'];
  const isService = discoveryOf(config.values) !== undefined;
  const endpoints = isService ? ((await endpointsOf?.(dataDirectory)) ?? []) : [];
  const destinations = withEndpoints(
    config.destinations.map(({ name, url }, index) => ({ name, url, form: formOf[index]! })),
    endpoints,
  );
  const routing = routingOf(config.values, destinations);
  const isShard = routing.kind === 'shard';
  return {
    dataDirectory,
    source: {
      shape: { ...shape, ...(isShard && { placement: routing.placement }) },
      routing: routing.kind,
      destinations: destinations.map(({ name, form }, index) => ({
        name,
        form,
        shard: isShard ? index : undefined,
      })),
    },
  };
}

interface Place {
  readonly name: string;
  readonly url: string;
  readonly form: number;
}

/** In the order in which the daemon has them. */
function withEndpoints(configured: readonly Place[], endpoints: readonly Endpoint[]): readonly Place[] {
  const [template] = configured;
  if (template === undefined || endpoints.length === 0) return configured;
  const sorted = [...endpoints].sort((a, b) => (hostPort(a) < hostPort(b) ? -1 : 1));
  return sorted.map((endpoint) => ({
    ...template,
    name: nameOfEndpoint(template.name, endpoint),
    url: endpointUrl(template.url, endpoint),
  }));
}
