import type { Endpoint } from '../ingest/endpoint.ts';
import type { ServicePorts } from './ports.ts';

/** Several scrapers, or one in a loop, cost one collection a second. */
const CACHED_MS = 1_000;

export function metrics(ports: Pick<ServicePorts, 'metricsText' | 'clock' | 'meter'>): Endpoint {
  const duration = ports.meter.histogram(
    'vm_http_request_duration_seconds',
    'How long requests to service endpoints took.',
    { path: '/metrics' },
  );
  let current: Promise<string> | undefined;
  let atMs = 0;
  const read = (nowMs: number): Promise<string> => {
    if (current !== undefined && nowMs - atMs < CACHED_MS) return current;
    atMs = nowMs;
    const reading = ports.metricsText();
    current = reading;
    // A failure is not kept: the next request tries again.
    reading.catch(() => {
      if (current === reading) current = undefined;
    });
    return reading;
  };
  return {
    paths: ['/metrics'],
    access: 'metricsAuthKey',
    handle: async () => {
      const startMs = ports.clock.monotonicMs();
      const body = await read(startMs);
      duration.observe((ports.clock.monotonicMs() - startMs) / 1_000);
      return { status: 200, body, contentType: 'text/plain; version=0.0.4; charset=utf-8' };
    },
  };
}
