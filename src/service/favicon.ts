import type { Endpoint } from '../ingest/endpoint.ts';

/** A gate with water under it. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b7285"/>' +
  '<path d="M8 6v13M24 6v13M8 9h16M12 9v7h8V9" stroke="#fff" stroke-width="2.5" fill="none" stroke-linecap="round"/>' +
  '<path d="M5 23q3.7-3 7.3 0t7.3 0 7.4 0" stroke="#99e9f2" stroke-width="2.5" fill="none" stroke-linecap="round"/></svg>';

export const favicon: Endpoint = {
  paths: ['/favicon.ico'],
  access: 'open',
  handle: () => ({
    status: 200,
    body: ICON,
    contentType: 'image/svg+xml',
    headers: { 'Cache-Control': 'max-age=86400' },
  }),
};
