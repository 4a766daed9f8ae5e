import type { Endpoint } from '../ingest/endpoint.ts';
import { text } from './text.ts';

/** For load balancers: tells during -http.shutdownDelay that no new requests should be sent here. */
export const health: Endpoint = {
  paths: ['/health'],
  access: 'open',
  handle: ({ isDraining }) =>
    isDraining ? text(503, 'the relay is shutting down; send new requests elsewhere\n') : text(200, 'OK'),
};
