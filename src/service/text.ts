import type { EndpointAnswer } from '../ingest/endpoint.ts';

const TEXT_TYPE = 'text/plain; charset=utf-8';

export function text(status: number, body: string): EndpointAnswer {
  return { status, body, contentType: TEXT_TYPE };
}
