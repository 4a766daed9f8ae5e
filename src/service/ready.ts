import type { Endpoint } from '../ingest/endpoint.ts';
import { text } from './text.ts';

/** Prometheus' name; always 200, as in vmagent: it listens only when it can take data. */
export const alwaysReady: Endpoint = {
  paths: ['/-/ready'],
  access: 'open',
  handle: () => text(200, 'Sluice is ready.\n'),
};

/** vmagent's name. */
export const ready: Endpoint = {
  paths: ['/ready'],
  access: 'basic',
  handle: () => text(200, 'OK'),
};
