/** Header lists: configured ones are parsed here, and later ones of the same name replace earlier ones. */
import type { Header } from '../destination/destination.ts';

/** Headers of the connection, not of the request: a wrong one breaks the framing, so they cannot be configured. */
const CONNECTION_HEADERS =
  /^(connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

/** `Name: value^^Name: value`; an item without a colon or with an impossible name is a problem, told without its value. */
export function parseHeaders(text: string): {
  readonly headers: readonly Header[];
  readonly problems: readonly string[];
} {
  const headers: Header[] = [];
  const problems: string[] = [];
  const items = text.split('^^').filter((item) => item.trim() !== '');
  for (const [index, item] of items.entries()) {
    const colon = item.indexOf(':');
    const name = item.slice(0, Math.max(0, colon)).trim();
    // Spaces at the ends are no part of a value; anything else there, line breaks above all, must not be lost unseen.
    const value = item.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (colon < 0) problems.push(`header ${index + 1} has no colon`);
    else if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
      problems.push(`header ${index + 1} has an invalid name`);
    else if (CONNECTION_HEADERS.test(name)) problems.push(`header ${name} is set by the connection`);
    else if (/[\r\n\0]/.test(value)) problems.push(`header ${name} has a line break or NUL in its value`);
    else if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      problems.push(`header ${name} has characters that HTTP does not allow`);
    else headers.push([name, value]);
  }
  return { headers, problems };
}

/** All lists in order; where a name comes again (in any case), its last value stands at the first one's place. */
export function mergeHeaders(...lists: readonly (readonly Header[])[]): Header[] {
  const byName = new Map<string, Header>();
  for (const header of lists.flat()) byName.set(header[0].toLowerCase(), header);
  return [...byName.values()];
}
