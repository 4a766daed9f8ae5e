import type { Endpoint } from '../ingest/endpoint.ts';
import { text } from './text.ts';

/** InfluxDB clients ask this before they write; with `verbose=true` they want a body. */
export const ping: Endpoint = {
  paths: ['/ping'],
  access: 'open',
  handle: ({ query }) => (query.get('verbose') === 'true' ? text(200, '') : { status: 204 }),
};
