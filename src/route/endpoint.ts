/** Places where destinations listen, and how people write the service that has them. */

export interface Endpoint {
  /** An IP address, or the name that an SRV record gives; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * - `addresses`: all A and AAAA records of a name, with one port, as of a headless service of Kubernetes.
 * - `srv`: the targets and ports of SRV records.
 */
export type Service =
  | { readonly kind: 'addresses'; readonly name: string; readonly port: number }
  | { readonly kind: 'srv'; readonly name: string };

/** `10.0.0.1:8480`, `[fd00::1]:8480`: as in a URL. */
export function hostPort({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The URL of an endpoint: everything but host and port as in the template, which is an http(s) URL. */
export function endpointUrl(template: string, endpoint: Endpoint): string {
  const url = new URL(template);
  url.host = hostPort(endpoint);
  return url.href;
}

/** Where a URL leads; it is an http(s) URL. */
export function endpointOf(url: string): Endpoint {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? usual : Number(port) };
}

/** `vminsert.monitoring.svc.cluster.local:8480` or `_http._tcp.vminsert.monitoring.svc.cluster.local`. */
export function parseService(text: string): Service | undefined {
  if (/^_[\w-]+\._[a-z]+\.[\w.-]+$/i.test(text)) return { kind: 'srv', name: text };
  const match = /^([a-z0-9](?:[\w.-]*[\w.])?):(\d{1,5})$/i.exec(text);
  if (match === null) return undefined;
  const port = Number(match[2]);
  return port >= 1 && port <= 65_535 ? { kind: 'addresses', name: match[1]!, port } : undefined;
}

/** Sorted by `hostPort`, each once. */
export function distinctEndpoints(endpoints: Iterable<Endpoint>): Endpoint[] {
  const byKey = new Map(Array.from(endpoints, (endpoint) => [hostPort(endpoint), endpoint]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
