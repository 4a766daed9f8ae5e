/** `Content-Encoding` of the protocols that have a parser. */
import type { BodyEncoding } from '../model/body.ts';
import type { Reception, RequestHead } from './protocol.ts';

/** Names as vmagent takes them: in lower case only. */
const encodings: Readonly<Record<string, BodyEncoding>> = {
  '': 'plain',
  none: 'plain',
  identity: 'plain',
  gzip: 'gzip',
  deflate: 'deflate',
  zstd: 'zstd',
  snappy: 'snappy',
};

/** The reception of a request whose body is to be read; a refusal when its encoding is none that we know. */
export function receiveBody(
  head: RequestHead,
  more: Omit<Extract<Reception, { kind: 'body' }>, 'kind' | 'encoding'> = {},
): Reception {
  const name = head.header('content-encoding');
  const encoding = Object.hasOwn(encodings, name) ? encodings[name] : undefined;
  if (encoding !== undefined) return { kind: 'body', encoding, parameters: {}, ...more };
  const error = `cannot read the body: Content-Encoding ${JSON.stringify(name)} is unknown; use gzip, deflate, zstd, snappy or none, in lower case`;
  return { kind: 'refusal', status: 400, error, ...(more.wording && { wording: more.wording }) };
}

export function badRequest(error: string): Reception {
  return { kind: 'refusal', status: 400, error };
}
