/** The options of OpenTelemetry metrics, whatever way they come. */
import { options, type Values } from '../config/option.ts';
import type { Problem } from '../config/problem.ts';

export const opentelemetryOptions = options({
  'opentelemetry.maxRequestSize': {
    kind: 'bytes',
    default: 64 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary:
      'The largest body of OpenTelemetry metrics, before and after decompression. Larger ones get 413, over gRPC RESOURCE_EXHAUSTED.',
  },
  'opentelemetry.usePrometheusNaming': {
    kind: 'bool',
    default: false,
    summary:
      'Turn names of metrics and labels into those that Prometheus likes: `http.server.duration` in seconds becomes `http_server_duration_seconds`.',
  },
  'opentelemetry.convertMetricNamesToPrometheus': {
    kind: 'bool',
    default: false,
    summary: 'The same for names of metrics only.',
  },
  'opentelemetry.labelNameUnderscoreSanitization': {
    kind: 'bool',
    default: true,
    summary:
      'With -opentelemetry.usePrometheusNaming: put `key` in front of labels that begin with a single `_`.',
  },
  'opentelemetry.promoteScopeMetadata': {
    kind: 'bool',
    default: true,
    summary:
      'Give series the labels `scope.name`, `scope.version` and `scope.attributes.…` of their instrumentation scope.',
  },
  'opentelemetry.promoteAllResourceAttributes': {
    kind: 'bool',
    default: true,
    summary: 'Give series all attributes of their resource as labels.',
  },
  'opentelemetry.promoteResourceAttributes': {
    kind: 'string',
    arity: 'list',
    default: [],
    summary:
      'The attributes of resources that become labels, with -opentelemetry.promoteAllResourceAttributes=false.',
  },
  'opentelemetry.ignoreResourceAttributes': {
    kind: 'string',
    arity: 'list',
    default: [],
    summary: 'Attributes of resources that do not become labels.',
  },
  'opentelemetry.nativeHistograms': {
    kind: 'bool',
    default: false,
    ours: true,
    summary:
      'Make native histograms of exponential histograms, as Prometheus does, instead of series with vmrange buckets.',
  },
  opentelemetryGRPCListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'address',
    ours: true,
    summary: 'Address for OpenTelemetry metrics over gRPC, for example `:4317`. Empty listens nowhere.',
  },
  'opentelemetryGRPCListenAddr.tlsCertFile': {
    kind: 'string',
    default: '',
    placeholder: 'path',
    ours: true,
    summary:
      'PEM file with the certificate chain for -opentelemetryGRPCListenAddr; read again when it changes. Empty speaks plain HTTP/2.',
  },
  'opentelemetryGRPCListenAddr.tlsKeyFile': {
    kind: 'string',
    default: '',
    placeholder: 'path',
    ours: true,
    summary: 'PEM file with the private key for -opentelemetryGRPCListenAddr; read again when it changes.',
  },
});

type ListName = 'opentelemetry.promoteResourceAttributes' | 'opentelemetry.ignoreResourceAttributes';

/** A list of attributes that the other options leave without effect is a mistake. @param where an option was given. */
export function checkOpentelemetry(
  options: Readonly<Record<string, unknown>>,
  where: (name: ListName) => string,
): Problem[] {
  const values = options as Values<typeof opentelemetryOptions>;
  const takesAll = values['opentelemetry.promoteAllResourceAttributes'];
  const name: ListName = `opentelemetry.${takesAll ? 'promote' : 'ignore'}ResourceAttributes`;
  if (values[name].length === 0) return [];
  const message = `it has no effect with -opentelemetry.promoteAllResourceAttributes=${takesAll}`;
  const hint = takesAll
    ? 'set -opentelemetry.promoteAllResourceAttributes=false, or take it away'
    : 'take it away: only the attributes of -opentelemetry.promoteResourceAttributes become labels';
  return [{ where: where(name), message, hint }];
}
