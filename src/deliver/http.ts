/**
 * POSTs to one destination over HTTP/1.1 with keep-alive. One instance per destination, main thread only. An attempt is
 * bounded in time (send timeout) and in what it reads of the answer; redirects are answers like any other.
 */
import { isIP, type Socket } from 'node:net';
import type { Header, HttpExchange, HttpResponse } from '../destination/destination.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { Abortable, Abortables } from './abortable.ts';
import type { Auth } from './auth/auth.ts';
import { openAuth } from './auth/index.ts';
import { type Address, type Backend, Backends } from './backends.ts';
import { connectorTo } from './connect.ts';
import type { ConnectionStats } from './connection-stats.ts';
import { Exchange } from './exchange.ts';
import { mergeHeaders, parseHeaders } from './headers.ts';
import { type DeliverValues, freshParallelOf, parallelOf } from './options.ts';
import { chooseProxy, proxyAuthorization } from './proxy.ts';
import { Redactor } from './redact.ts';
import { namingOf, type Resolver, systemResolver } from './resolve.ts';
import { SocketWrites } from './socket-writes.ts';
import { TlsFiles } from './tls-files.ts';
import { Pool } from './undici.ts';

const IDLE_MS = 60_000;
/** How often the addresses of an ordinary host are compared with those of open connections. */
const DNS_WATCH_MS = 20_000;

export interface HttpPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: ConnectionStats;
  /** Proxy variables and AWS credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly resolver?: Resolver;
}

/** A pool and its open sockets. */
interface Connection {
  readonly pool: Pool;
  readonly sockets: Set<Socket>;
}

export class HttpClient implements HttpExchange {
  readonly #url: URL;
  /** As the peer sees it: without `dns+`, `srv+` and credentials. */
  readonly #wireUrl: URL;
  readonly #path: string;
  readonly #host: string;
  readonly #naming: 'plain' | 'dns' | 'srv';
  readonly #values: DeliverValues;
  readonly #ports: HttpPorts;
  readonly #resolver: Resolver;
  readonly #redactor = new Redactor();
  readonly #auth: Auth | undefined;
  readonly #headers: readonly Header[];
  readonly #hostHeader: string;
  readonly #proxy: URL | undefined;
  readonly #tlsFiles: TlsFiles;
  readonly #backends: Backends<Connection>;
  readonly #live = new Set<Pool>();
  readonly #writes = new SocketWrites();
  readonly #attempts = new Abortables();
  /** By those of the content, where no credentials change. */
  readonly #knownHeaders = new WeakMap<readonly Header[], readonly string[]>();
  #tls: Awaited<ReturnType<TlsFiles['current']>> | undefined;
  #cancelWatch: () => void = () => {};
  #closed = false;

  /** `url` as configured, with credentials; `values` must have passed `checkDestination`. */
  constructor(url: string, values: DeliverValues, ports: HttpPorts) {
    this.#url = new URL(url);
    this.#wireUrl = new URL(this.#url.href.replace(/^(https?:\/\/)(?:[^/@]*@)?(?:dns\+|srv\+)?/, '$1'));
    this.#path = this.#url.pathname + this.#url.search;
    const { naming, host } = namingOf(this.#url);
    this.#naming = naming;
    this.#host = host;
    this.#values = values;
    this.#ports = ports;
    this.#resolver = ports.resolver ?? systemResolver;
    this.#proxy = chooseProxy(this.#url, values['remoteWrite.proxyURL']?.reveal() ?? '', ports.env);
    this.#tlsFiles = new TlsFiles(values, ports.clock);
    const configured = parseHeaders(values['remoteWrite.headers']?.reveal() ?? '').headers;
    const hostHeader = configured.find(([name]) => name.toLowerCase() === 'host')?.[1];
    this.#hostHeader =
      hostHeader ?? (values['remoteWrite.tlsServerName'] || this.#url.host.replace(/^(dns|srv)\+/, ''));
    this.#headers = mergeHeaders(userInfo(this.#url), configured);
    this.#auth = openAuth(values, { clock: ports.clock, env: ports.env, redactor: this.#redactor });
    this.#rememberSecrets();
    this.#backends = new Backends<Connection>({
      clock: ports.clock,
      log: ports.log,
      resolve: () => this.#addresses(),
      open: (address) => this.#open(address),
      retire: (connection) => void this.#retire(connection.pool),
    });
    this.#watchDns();
  }

  async post(content: readonly Header[], body: Uint8Array, signal: AbortSignal): Promise<HttpResponse> {
    const attempt = new Abortable();
    const others = this.#attempts.under(signal);
    const timeoutMs = this.#values['remoteWrite.sendTimeout'];
    const cancel = this.#ports.clock.after(timeoutMs, () =>
      attempt.abort(new SluiceError('timeout', `no answer within ${timeoutMs} ms`)),
    );
    others.add(attempt);
    if (signal.aborted) attempt.abort(signal.reason);
    try {
      return await attempt.run(this.#post(content, body, attempt));
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'network';
      throw new SluiceError(code, this.#redactor.clean(explain(error)));
    } finally {
      cancel();
      others.delete(attempt);
    }
  }

  isDoneWith(body: Uint8Array): boolean {
    return !this.#writes.has(body);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelWatch();
    await Promise.all([...this.#live].map((pool) => pool.destroy()));
  }

  async #post(content: readonly Header[], body: Uint8Array, attempt: Abortable): Promise<HttpResponse> {
    const headers = await this.#headersOf(content, body);
    await this.#followTls();
    // One immediate second try: a connection that the peer closed while idle fails exactly once. With several backends
    // each of them gets its chance.
    for (let tries = 1; ; tries++) {
      const backend = await this.#backends.pick();
      attempt.throwIfAborted();
      backend.inFlight++;
      try {
        return await this.#exchange(backend, headers, body, attempt);
      } catch (error) {
        const several = this.#naming !== 'plain';
        if (attempt.isAborted || this.#closed) throw error;
        if (several) this.#backends.failed(backend);
        const again = isLost(error) ? tries < 2 : several && tries < this.#backends.all.length;
        if (!again) throw error;
      } finally {
        backend.inFlight--;
      }
    }
  }

  /** Names and values in turn. */
  async #headersOf(content: readonly Header[], body: Uint8Array): Promise<readonly string[]> {
    const request = { method: 'POST', url: this.#wireUrl, host: this.#hostHeader, body } as const;
    const own = await this.#auth?.headers(request);
    const known = own === undefined ? this.#knownHeaders.get(content) : undefined;
    if (known !== undefined) return known;
    const headers = mergeHeaders([['Host', this.#hostHeader]], this.#headers, content, own ?? []);
    const proxyAuth = this.#throughPlainProxy() && proxyAuthorization(this.#proxy!);
    if (proxyAuth) headers.push(['Proxy-Authorization', proxyAuth]);
    const flat = headers.flat();
    if (own === undefined) this.#knownHeaders.set(content, flat);
    return flat;
  }

  async #exchange(
    backend: Backend<Connection>,
    headers: readonly string[],
    body: Uint8Array,
    attempt: Abortable,
  ): Promise<HttpResponse> {
    const path = this.#throughPlainProxy()
      ? `http://${this.#hostAndPort(backend.address)}${this.#path}`
      : this.#path;
    const exchange = new Exchange(this.#ports.clock);
    attempt.begin(exchange);
    const options = { method: 'POST', path, headers: headers as string[], body } as const;
    backend.connection.pool.dispatch(options, exchange);
    const { status, headers: answered, text } = await exchange.answer;
    if (status < 300) return { status, text, headers: answered };
    const encoded = answered['content-encoding'] !== undefined;
    const retryAfter: string | string[] | undefined = answered['retry-after'];
    return {
      status,
      headers: answered,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : retryAfter?.[0],
      text: encoded ? '(a compressed text)' : this.#redactor.clean(text),
    };
  }

  /** An HTTP proxy takes requests for http:// targets itself; everything else goes through a tunnel. */
  #throughPlainProxy(): boolean {
    return (
      this.#url.protocol === 'http:' && this.#proxy !== undefined && /^https?:$/.test(this.#proxy.protocol)
    );
  }

  #hostAndPort({ host, port }: Address): string {
    const shown = isIP(host) === 6 ? `[${host}]` : host;
    return port === 80 ? shown : `${shown}:${port}`;
  }

  #open(address: Address): Connection {
    const sockets = new Set<Socket>();
    const secure = this.#url.protocol === 'https:';
    const plainProxy = this.#throughPlainProxy();
    const tls = this.#tls?.options ?? {};
    const { ca, rejectUnauthorized, minVersion } = tls;
    const trust = { ...(ca === undefined ? {} : { ca }), rejectUnauthorized, minVersion } as typeof tls;
    const proxyHost = this.#proxy?.hostname.replace(/^\[|\]$/g, '') ?? '';
    const proxyPort = Number(this.#proxy?.port || (this.#proxy?.protocol === 'https:' ? 443 : 80));
    const target = plainProxy
      ? {
          host: proxyHost,
          port: proxyPort,
          serverName: proxyHost,
          tls: this.#proxy?.protocol === 'https:' ? trust : undefined,
        }
      : { ...address, serverName: this.#serverName(address), tls: secure ? tls : undefined };
    const config = {
      ...target,
      handshakeTimeoutMs: this.#values['remoteWrite.tlsHandshakeTimeout'],
      proxy: plainProxy ? undefined : this.#proxy,
      proxyTls: trust,
    };
    const pool = new Pool(
      `http://${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`,
      {
        connections: 2 * (parallelOf(this.#values) + freshParallelOf(this.#values)),
        pipelining: 1,
        keepAliveTimeout: IDLE_MS,
        keepAliveMaxTimeout: IDLE_MS,
        // The send timeout covers the whole attempt.
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: connectorTo(config, { ...this.#ports, resolver: this.#resolver }, (socket) => {
          sockets.add(socket);
          this.#writes.watch(socket);
          socket.once('close', () => sockets.delete(socket));
        }),
      },
    );
    this.#live.add(pool);
    return { pool, sockets };
  }

  #serverName(address: Address): string {
    const configured = this.#values['remoteWrite.tlsServerName'];
    return configured || (this.#naming === 'srv' ? address.host : this.#host);
  }

  async #retire(pool: Pool): Promise<void> {
    try {
      await pool.close();
    } catch {
      // Destroyed meanwhile by `close`.
    } finally {
      this.#live.delete(pool);
    }
  }

  async #addresses(): Promise<readonly Address[]> {
    const port = Number(this.#url.port || (this.#url.protocol === 'https:' ? 443 : 80));
    if (this.#naming === 'srv') {
      return (await this.#resolver.services(this.#host)).map((service) => ({
        host: service.name,
        port: service.port,
      }));
    }
    if (this.#naming === 'dns')
      return (await this.#resolver.addresses(this.#host)).map((host) => ({ host, port }));
    return [{ host: this.#host, port }];
  }

  async #followTls(): Promise<void> {
    const needed = this.#url.protocol === 'https:' || this.#proxy?.protocol === 'https:';
    if (!needed) return;
    const current = await this.#tlsFiles.current();
    const changed = this.#tls !== undefined && this.#tls.version !== current.version;
    this.#tls = current;
    if (changed) this.#backends.reopen();
  }

  /** New connections look the name up anyway; this ends those that hang on to an address that the name has lost. */
  #watchDns(): void {
    if (this.#naming !== 'plain' || this.#proxy !== undefined || isIP(this.#host)) return;
    this.#cancelWatch = this.#ports.clock.after(DNS_WATCH_MS, () => {
      this.#checkDns()
        .catch(() => {
          // The name server is down: what is connected stays connected.
        })
        .finally(() => {
          if (!this.#closed) this.#watchDns();
        });
    });
  }

  async #checkDns(): Promise<void> {
    const sockets = this.#backends.all.flatMap(({ connection }) => [...connection.sockets]);
    if (sockets.length === 0) return;
    const addresses = await this.#resolver.addresses(this.#host);
    const lost = sockets.some(
      ({ remoteAddress }) => remoteAddress !== undefined && !addresses.includes(remoteAddress),
    );
    if (lost && !this.#closed) this.#backends.reopen();
  }

  #rememberSecrets(): void {
    const { password, search, pathname, searchParams } = this.#url;
    this.#redactor.set('url password', decodeURIComponent(password));
    this.#redactor.set('url path', pathname + search);
    this.#redactor.set('url query', search);
    for (const [name, value] of searchParams) this.#redactor.set(`url query ${name}`, value);
    for (const [name, value] of this.#headers) {
      if (name.toLowerCase() !== 'host') this.#redactor.set(`header ${name}`, value);
    }
    if (this.#proxy !== undefined) {
      this.#redactor.set('proxy', this.#proxy.href);
      this.#redactor.set('proxy password', decodeURIComponent(this.#proxy.password));
    }
  }
}

/** `http://user:password@host` means basic authentication, unless something else is configured. */
function userInfo(url: URL): readonly Header[] {
  if (url.username === '' && url.password === '') return [];
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return [['Authorization', `Basic ${Buffer.from(pair).toString('base64')}`]];
}

/** The peer went away without an answer. */
function isLost(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** The message of an error, with what Node hides in its causes. */
function explain(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  const cause = error instanceof Error ? error.cause : undefined;
  const message = messageOf(error);
  if (!(cause instanceof Error) || error instanceof SluiceError || message.includes(cause.message))
    return message;
  return `${message} (${cause.message})`;
}
