/** What destinations are called: in the data directory, and where people look. */
import { createHash } from 'node:crypto';
import { redactUserInfo } from './redact.ts';

/** It is the name of a directory, so it has neither separators nor a dot at its beginning. */
export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
export const NAME_RULE =
  'letters, digits, dots, dashes and underscores, at most 64, with a letter or digit first';

const LENGTH_MAX = 64;
const HASH_LENGTH = 8;
/** Where almost everybody writes to; it would only make names longer. */
const USUAL_PATHS = ['', '/', '/api/v1/write'];

/**
 * The name of a destination without one of its own: host and port, and a hash of any unusual path, which may hold a
 * token. Credentials and query do not count, so that they can change.
 */
export function nameFromUrl(url: string): string {
  const scheme = schemeOf(url) ?? '';
  if (scheme === 'file:')
    return withHash(
      `file-${url
        .split('/')
        .at(-1)!
        .replace(/^file:/, '')}`,
      url,
    );
  if (!URL.canParse(url)) return withHash('destination', url);
  const { hostname, port, pathname } = new URL(url);
  const host = hostNameOf(hostname.replace(/^\[(.*)\]$/, '$1'));
  const place = port === '' ? host : `${host}-${port}`;
  return USUAL_PATHS.includes(pathname) ? limited(place, url) : withHash(place, pathname);
}

/** The name of one endpoint of a service whose destination has a name. */
export function nameOfEndpoint(name: string, { host, port }: { host: string; port: number }): string {
  const whole = `${name}-${hostNameOf(host)}-${port}`;
  return limited(whole, whole);
}

const hostNameOf = (host: string): string => {
  return host.includes(':') ? `ip6-${host.replaceAll(':', '_')}` : host;
};

/** `http:`, `file:`; undefined without one, so that nothing is shown of what is no URL. */
export function schemeOf(url: string): string | undefined {
  return /^(file:|[a-z][a-z0-9+.-]*:(?=\/\/))/i.exec(url)?.[1]?.toLowerCase();
}

/** `1:secret-url`; with `showUrl` `1:http://host/path`, still without a password. */
export function shownUrlOf(url: string, index: number, showUrl: boolean): string {
  return `${index + 1}:${showUrl ? redactUserInfo(url) : 'secret-url'}`;
}

/** As `shownUrlOf`, of one endpoint of a service; `place` is its host and port. */
export function shownUrlOfEndpoint(url: string, place: string, showUrl: boolean): string {
  return showUrl ? shownUrlOf(url, 0, true) : `${shownUrlOf(url, 0, false)}@${place}`;
}

function limited(name: string, hashed: string): string {
  const clean = sanitise(name);
  return clean.length <= LENGTH_MAX ? clean : withHash(name, hashed);
}

function withHash(name: string, hashed: string): string {
  const hash = createHash('sha256').update(hashed).digest('hex').slice(0, HASH_LENGTH);
  return `${sanitise(name).slice(0, LENGTH_MAX - HASH_LENGTH - 1)}-${hash}`;
}

function sanitise(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9._-]+/g, '-').replace(/^[^a-zA-Z0-9]+/, '') || 'destination';
}
