/**
 * What a call of gRPC says in its metadata, which are headers of HTTP/2, and a request over HTTP in its path and query: the tenant
 * by `accountid` and `projectid`, and labels by `extra_label`, `name=value`, as often as there are labels. Values of metadata
 * are ASCII; a label that is not goes into `extra_label-bin`, which clients put into base64 by themselves.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Label, Tenant } from '../model/body.ts';
import { labelOf } from './query.ts';
import { namesTenant, tenantOfHeaders } from './tenant.ts';
import { withTenant } from './tenant-labels.ts';

const LABEL = 'extra_label';
const BINARY_LABEL = 'extra_label-bin';
const SHOWN_LENGTH_MAX = 200;

export interface CallMetadata {
  readonly tenant: Tenant | undefined;
  /** With those of the tenant. */
  readonly extraLabels: readonly Label[];
}

interface Flaw {
  readonly error: string;
}

/** Clients send the same few labels over and over; requests with the same array share their format. */
const CACHED_MAX = 64;
const cache = new Map<string, readonly Label[]>();
const NO_LABELS: readonly Label[] = [];

/**
 * @param rawHeaders names and values in turn: a label may hold the comma that joins values of one name.
 * @param viaHeaders whether a call may name its tenant.
 */
export function readMetadata(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  viaHeaders: boolean,
): CallMetadata | Flaw {
  const headerOf = (name: string) => String(headers[name] ?? '');
  const named = viaHeaders && namesTenant(headerOf) ? tenantOfHeaders(headerOf) : undefined;
  if (named !== undefined && 'error' in named) return named;
  const tenant = named?.tenant;
  const hasLabels = headers[LABEL] !== undefined || headers[BINARY_LABEL] !== undefined;
  const labels = hasLabels ? labelsOf(rawHeaders) : NO_LABELS;
  if ('error' in labels) return labels;
  return { tenant, extraLabels: withTenant(labels, tenant) };
}

function labelsOf(rawHeaders: readonly string[]): readonly Label[] | Flaw {
  const given: [name: string, value: string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name === LABEL || name === BINARY_LABEL) given.push([name, rawHeaders[index + 1]!]);
  }
  const key = JSON.stringify(given);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const labels: Label[] = [];
  for (const [name, value] of given) {
    const pairs = name === LABEL ? [value] : fromBase64(value);
    if (pairs === undefined) return unreadable(name, value, 'it is not base64 of UTF-8');
    for (const pair of pairs) {
      const label = labelOf(pair);
      if (label === undefined) return unreadable(name, pair, 'it is not of the form name=value');
      labels.push(label);
    }
  }
  if (cache.size >= CACHED_MAX) cache.clear();
  cache.set(key, labels);
  return labels;
}

/** Several values may be joined by commas; padding may be left out. */
function fromBase64(text: string): string[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  if (!parts.every((part) => /^[\w+/-]*={0,2}$/.test(part))) return undefined;
  const bytes = parts.map((part) => Buffer.from(part, 'base64'));
  return bytes.every(isUtf8) ? bytes.map(String) : undefined;
}

function unreadable(name: string, value: string, why: string): Flaw {
  return {
    error: `cannot read the metadata ${name}: ${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}: ${why}`,
  };
}
