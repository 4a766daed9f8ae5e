/**
 * Labels in a path, as the Pushgateway takes them: `…/metrics/job/<job>/<name>/<value>…`. A name that ends in `@base64`
 * has a value in URL-safe base64, with or without padding; an empty value gives no label.
 */
import type { Label } from '../model/body.ts';

const BEGIN = '/metrics/job';
const SUFFIX = '@base64';
const BASE64_URL = /^[\w-]*={0,2}$/;

export type PathLabels = { readonly labels: readonly Label[] } | { readonly error: string };

/** @param rawPath as in the request; it is percent-decoded as a whole, so that an encoded slash separates too. */
export function pathLabels(rawPath: string): PathLabels {
  const path = decoded(rawPath);
  if (path === undefined) return refused(rawPath, 'it is not percent-encoded UTF-8');
  const start = path.indexOf(BEGIN);
  const rest = path.slice(start + BEGIN.length);
  const hasLabels = start >= 0 && (rest.startsWith('/') || rest.startsWith(`${SUFFIX}/`));
  const text = path.slice(start + '/metrics/'.length);
  if (!hasLabels || text === 'job/') return { labels: [] };
  const segments = text.split('/');
  if (segments.length % 2 !== 0) {
    return refused(path, `there is no value for ${JSON.stringify(segments.at(-1))}`);
  }
  const labels: Label[] = [];
  for (let index = 0; index < segments.length; index += 2) {
    const name = segments[index]!;
    const value = segments[index + 1]!;
    if (!name.endsWith(SUFFIX)) labels.push({ name, value });
    else if (!isBase64(value)) return refused(path, `${JSON.stringify(value)} is not URL-safe base64`);
    else
      labels.push({ name: name.slice(0, -SUFFIX.length), value: Buffer.from(value, 'base64url').toString() });
  }
  return { labels: labels.filter(({ value }) => value !== '') };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function isBase64(text: string): boolean {
  return BASE64_URL.test(text) && text.replace(/=+$/, '').length % 4 !== 1;
}

function refused(path: string, why: string): PathLabels {
  return {
    error: `cannot read labels from the path ${JSON.stringify(path)}: ${why}; write …/metrics/job/<job>/<name>/<value>`,
  };
}
