/** OAuth2 client credentials, RFC 6749 section 4.4. One token per destination, shared by its senders. */
import type { Clock } from '../../util/clock.ts';
import { messageOf, SluiceError } from '../../util/error.ts';
import type { DeliverValues } from '../options.ts';
import { requestSmall, type SmallReply } from '../small-request.ts';
import { WatchedFile } from '../watched-file.ts';
import type { Auth, AuthKind, AuthPorts } from './auth.ts';
import { notBoth } from './auth.ts';

const CLIENT_ID = 'remoteWrite.oauth2.clientID';
const SECRET = 'remoteWrite.oauth2.clientSecret';
const SECRET_FILE = 'remoteWrite.oauth2.clientSecretFile';
const PARAMS = 'remoteWrite.oauth2.endpointParams';
const SCOPES = 'remoteWrite.oauth2.scopes';
const TOKEN_URL = 'remoteWrite.oauth2.tokenUrl';

/** A token is renewed this long before it ends, so that no request arrives with a dead one. */
const EARLY_MS = 10_000;

export const oauth2: AuthKind = {
  name: 'oauth2',
  configured: (values) => values[SECRET] !== undefined || values[SECRET_FILE] !== '',
  check(values) {
    const problems = [...notBoth(values[SECRET], values[SECRET_FILE], SECRET, SECRET_FILE)];
    const started = oauth2.configured(values) || values[CLIENT_ID] !== '' || values[TOKEN_URL] !== '';
    if (!started) return problems;
    if (!oauth2.configured(values)) {
      problems.push({ message: 'OAuth2 has no client secret', hint: `set -${SECRET} or -${SECRET_FILE}` });
    }
    if (values[CLIENT_ID] === '')
      problems.push({ message: 'OAuth2 has no client ID', hint: `set -${CLIENT_ID}` });
    if (!/^https?:\/\//.test(values[TOKEN_URL]) || !URL.canParse(values[TOKEN_URL])) {
      problems.push({
        message: 'OAuth2 has no usable token URL',
        hint: `set -${TOKEN_URL} to an http(s) URL`,
      });
    }
    if (parseParams(values) === undefined) {
      problems.push({
        message: `-${PARAMS} is no JSON object of strings`,
        hint: `write it as {"name":"value"}`,
      });
    }
    return problems;
  },
  open: (values, ports) => new ClientCredentials(values, ports),
};

function parseParams(values: DeliverValues): Readonly<Record<string, string>> | undefined {
  const text = values[PARAMS]?.reveal() ?? '';
  if (text === '') return {};
  try {
    const params: unknown = JSON.parse(text);
    if (typeof params !== 'object' || params === null || Array.isArray(params)) return undefined;
    return Object.values(params).every((value) => typeof value === 'string')
      ? (params as Record<string, string>)
      : undefined;
  } catch {
    return undefined;
  }
}

interface Token {
  readonly secret: string;
  readonly authorization: string;
  /** Monotonic; Infinity when the server named no end. */
  readonly endsAtMs: number;
}

/** How the client shows who it is: servers take one or the other, and the first request finds out which. */
type Style = 'header' | 'form';

class ClientCredentials implements Auth {
  readonly #values: DeliverValues;
  readonly #ports: AuthPorts;
  readonly #clock: Clock;
  readonly #secretFile: WatchedFile | undefined;
  #style: Style | undefined;
  #token: Token | undefined;
  #fetching: Promise<Token> | undefined;

  constructor(values: DeliverValues, ports: AuthPorts) {
    this.#values = values;
    this.#ports = ports;
    this.#clock = ports.clock;
    const path = values[SECRET_FILE];
    this.#secretFile = path === '' ? undefined : new WatchedFile(path, ports.clock);
  }

  async headers(): Promise<readonly [readonly [string, string]]> {
    const secret = (await this.#secretFile?.read()) ?? this.#values[SECRET]?.reveal() ?? '';
    const token = this.#usable(secret) ?? (await this.#fetchOnce(secret));
    return [['Authorization', token.authorization]];
  }

  #usable(secret: string): Token | undefined {
    const token = this.#token;
    if (token === undefined || token.secret !== secret) return undefined;
    return this.#clock.monotonicMs() < token.endsAtMs - EARLY_MS ? token : undefined;
  }

  /** However many senders ask at the same time, one request goes out. */
  #fetchOnce(secret: string): Promise<Token> {
    this.#fetching ??= this.#fetch(secret).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(secret: string): Promise<Token> {
    this.#ports.redactor.set('oauth2 secret', secret);
    const styles: readonly Style[] = this.#style === undefined ? ['header', 'form'] : [this.#style];
    let failure = '';
    for (const style of styles) {
      let reply: SmallReply;
      try {
        reply = await this.#ask(style, secret);
      } catch (error) {
        throw tokenError(messageOf(error));
      }
      if (reply.status >= 200 && reply.status < 300) {
        this.#style = style;
        this.#token = this.#parse(reply, secret);
        return this.#token;
      }
      // The answer's text is left out: some servers repeat the request in it.
      failure = `status ${reply.status}`;
    }
    throw tokenError(failure);
  }

  #ask(style: Style, secret: string): Promise<SmallReply> {
    const id = this.#values[CLIENT_ID];
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    // The empty scope is sent too: that is what Go's client does, and some servers insist on it.
    form.set('scope', this.#values[SCOPES].split(';').filter(Boolean).join(' '));
    for (const [name, value] of Object.entries(parseParams(this.#values) ?? {})) form.set(name, value);
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
    if (style === 'form') {
      form.set('client_id', id);
      form.set('client_secret', secret);
    } else {
      const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
      headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const call = { url: this.#values[TOKEN_URL], method: 'POST', headers, body: form.toString() } as const;
    return requestSmall(call, this.#clock);
  }

  #parse(reply: SmallReply, secret: string): Token {
    const fields = tokenFields(reply);
    const token = fields.access_token;
    if (typeof token !== 'string' || token === '' || /[^\x21-\x7e]/.test(token)) {
      throw tokenError('the answer holds no access_token');
    }
    this.#ports.redactor.set('oauth2 token', token);
    const type = String(fields.token_type ?? 'Bearer');
    const lifeS = Number(fields.expires_in ?? 0);
    return {
      secret,
      authorization: `${/^bearer$/i.test(type) || !/^[\w-]+$/.test(type) ? 'Bearer' : type} ${token}`,
      endsAtMs: lifeS > 0 ? this.#clock.monotonicMs() + lifeS * 1000 : Number.POSITIVE_INFINITY,
    };
  }
}

function tokenFields({ contentType, text }: SmallReply): Record<string, unknown> {
  if (/^(application\/x-www-form-urlencoded|text\/plain)/.test(contentType)) {
    const fields = Object.fromEntries(new URLSearchParams(text));
    if (fields.access_token !== undefined) return fields;
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function tokenError(cause: string): SluiceError {
  return new SluiceError(
    'oauth2',
    `cannot get an OAuth2 token: ${cause}; check -${TOKEN_URL} and the client's credentials`,
  );
}
