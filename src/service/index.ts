/** The registry of service endpoints: one line each. */
import type { Endpoint } from '../ingest/endpoint.ts';
import { explain } from './explain.ts';
import { favicon } from './favicon.ts';
import { flags } from './flags.ts';
import { health } from './health.ts';
import { healthy } from './healthy.ts';
import { home } from './home.ts';
import { metrics } from './metrics.ts';
import { ping } from './ping.ts';
import type { ServicePorts } from './ports.ts';
import { alwaysReady, ready } from './ready.ts';
import { relabelDebug } from './relabel-debug.ts';
import { reload } from './reload.ts';
import { robots } from './robots.ts';
import { streamAgg } from './stream-agg.ts';
import { top, topApi } from './top.ts';

export function createEndpoints(ports: ServicePorts): readonly Endpoint[] {
  return [
    home(ports),
    health,
    healthy,
    alwaysReady,
    ready,
    ping,
    robots,
    favicon,
    metrics(ports),
    flags(ports),
    reload(ports),
    explain(ports),
    top(ports),
    topApi(ports),
    relabelDebug(ports),
    streamAgg(ports.aggregation),
  ];
}
