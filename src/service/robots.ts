import type { Endpoint } from '../ingest/endpoint.ts';
import { text } from './text.ts';

export const robots: Endpoint = {
  paths: ['/robots.txt'],
  access: 'open',
  handle: () => text(200, 'User-agent: *\nDisallow: /\n'),
};
