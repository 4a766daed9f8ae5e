/** Who may do what: basic auth and auth keys, decided from the head of a request before its body is read. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Counter, Meter } from '../util/meter.ts';
import type { Secret } from '../util/secret.ts';
import type { IngestValues } from './options.ts';
import { queryOf } from './query.ts';
import type { Headers } from './reply.ts';

export type AuthKey = 'metricsAuthKey' | 'flagsAuthKey' | 'reloadAuthKey';
/** `open`: everybody; `basic`: -httpAuth.*; an auth key: that key if it is set, else as `basic`. */
export type Access = 'open' | 'basic' | AuthKey;

/** What of a request is asked for; requests of HTTP/1 have it, and others can be given it. */
interface Credentials {
  readonly headers: Pick<IncomingHttpHeaders, 'authorization'>;
  readonly url?: string | undefined;
}

export interface Denial {
  readonly status: 401;
  readonly error: string;
  readonly headers: Headers;
}

const BASIC_DENIAL: Denial = {
  status: 401,
  error: '',
  headers: { 'WWW-Authenticate': 'Basic realm="VictoriaMetrics"' },
};

export class Gate {
  readonly #values: IngestValues;
  readonly #wrongBasic: Counter;
  readonly #wrongKey: Counter;

  constructor(values: IngestValues, meter: Meter) {
    this.#values = values;
    const errors = (reason: string) =>
      meter.counter('vm_http_request_errors_total', 'Requests that were refused.', { path: '*', reason });
    this.#wrongBasic = errors('wrong_basic_auth');
    this.#wrongKey = errors('wrong_auth_key');
  }

  /** Undefined if the request may pass. */
  check(access: Access, request: Credentials): Denial | undefined {
    if (access === 'open') return undefined;
    if (access !== 'basic') {
      const key = this.#values[access];
      if (key !== undefined) return this.#checkKey(access, key, request);
    }
    if (this.passesBasic(request)) return undefined;
    this.#wrongBasic.inc();
    return BASIC_DENIAL;
  }

  /** What `check` says of `basic`; a denial is not counted. */
  passesBasic({ headers }: Pick<Credentials, 'headers'>): boolean {
    const user = this.#values['httpAuth.username'];
    const password = this.#values['httpAuth.password'];
    if (user === '' && password === undefined) return true;
    return isBasic(headers.authorization ?? '', user, password?.reveal() ?? '');
  }

  #checkKey(name: AuthKey, key: Secret, request: Credentials): Denial | undefined {
    const bearer = /^bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1];
    const given = bearer ?? queryOf(request.url ?? '').parameters.get('authKey') ?? '';
    if (isSame(given, key.reveal())) return undefined;
    this.#wrongKey.inc();
    const error = `cannot authorize the request: the auth key is missing or wrong; give the value of -${name} as authKey parameter or bearer token`;
    return { status: 401, error, headers: {} };
  }
}

function isBasic(header: string, user: string, password: string): boolean {
  const encoded = /^basic (.*)$/i.exec(header)?.[1] ?? '';
  const given = Buffer.from(encoded, 'base64').toString();
  const colon = given.indexOf(':');
  // Both are always compared, so that the time does not tell which one was wrong.
  const sameUser = isSame(given.slice(0, Math.max(0, colon)), user);
  const samePassword = isSame(given.slice(colon + 1), password);
  return sameUser && samePassword && colon >= 0;
}

/** In a time that depends neither on where the texts differ nor on the length of the expected one. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));
}
