import type { Endpoint } from '../ingest/endpoint.ts';
import { text } from './text.ts';

/** The process runs; Prometheus' name for it. */
export const healthy: Endpoint = {
  paths: ['/-/healthy'],
  access: 'open',
  handle: () => text(200, 'Sluice is healthy.\n'),
};
