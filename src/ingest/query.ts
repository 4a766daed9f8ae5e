/** The query string of a write request: its parameters, and the labels that `extra_label` adds. */
import type { Label } from '../model/body.ts';

export interface Query {
  readonly parameters: URLSearchParams;
  readonly extraLabels: readonly Label[];
  /** Why the request is refused with 400; undefined if all is well. */
  readonly error: string | undefined;
}

/** Clients send the same few query strings over and over. */
const CACHED_MAX = 64;
const CACHED_LENGTH_MAX = 2_048;
const cache = new Map<string, Query>();

/** Reads what follows the `?` of a URL. */
export function queryOf(url: string): Query {
  const mark = url.indexOf('?');
  const text = mark < 0 ? '' : url.slice(mark + 1);
  const known = cache.get(text);
  if (known !== undefined) return known;
  const query = parse(text);
  if (text.length <= CACHED_LENGTH_MAX) {
    if (cache.size >= CACHED_MAX) cache.clear();
    cache.set(text, query);
  }
  return query;
}

function parse(text: string): Query {
  const parameters = new URLSearchParams(text);
  const extraLabels: Label[] = [];
  for (const pair of parameters.getAll('extra_label')) {
    const label = labelOf(pair);
    if (label === undefined) {
      const error = `cannot read the query parameter extra_label=${JSON.stringify(pair)}: it is not of the form name=value`;
      return { parameters, extraLabels: [], error };
    }
    extraLabels.push(label);
  }
  return { parameters, extraLabels, error: undefined };
}

/** `name=value`; undefined if it is not. An empty name would stand for the metric name at some receivers. */
export function labelOf(pair: string): Label | undefined {
  const equals = pair.indexOf('=');
  return equals <= 0 ? undefined : { name: pair.slice(0, equals), value: pair.slice(equals + 1) };
}
