/**
 * POSTs to one destination over HTTP/1.1 with keep-alive. One instance per destination, main thread only. An attempt is
 * bounded in time (send timeout) and in what it reads of the answer; redirects are answers like any other.
 */
import { isIP, type Socket } from 'node:net';
import type { Header, HttpExchange, HttpResponse } from '../destination/destination.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Auth } from './auth/auth.ts';
import { openAuth } from './auth/index.ts';
import { type Address, type Backend, Backends } from './backends.ts';
import { connectorTo } from './connect.ts';
import type { ConnectionStats } from './connection-stats.ts';
import { mergeHeaders, parseHeaders } from './headers.ts';
import { type DeliverValues, freshParallelOf, parallelOf } from './options.ts';
import { chooseProxy, proxyAuthorization } from './proxy.ts';
import { Redactor, TEXT_BYTES_MAX } from './redact.ts';
import { namingOf, type Resolver, systemResolver } from './resolve.ts';
import { SocketWrites } from './socket-writes.ts';
import { TlsFiles } from './tls-files.ts';
import { Pool } from './undici.ts';

const IDLE_MS = 60_000;
/** What is read of an answer so that its connection can be used again; past that a new one is cheaper. */
const DRAIN_BYTES_MAX = 64 * 1024;
const DRAIN_MS = 5000;
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
  #tls: Awaited<ReturnType<TlsFiles['current']>> | undefined;
  #cancelWatch: () => void = () => {};
  #closed = false;

  /** `url` as configured, with credentials; `values` must have passed `checkDestination`. */
  constructor(url: string, values: DeliverValues, ports: HttpPorts) {
    this.#url = new URL(url);
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
    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    const timeoutMs = this.#values['remoteWrite.sendTimeout'];
    const cancel = this.#ports.clock.after(timeoutMs, () =>
      controller.abort(new SluiceError('timeout', `no answer within ${timeoutMs} ms`)),
    );
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await orAborted(this.#post(content, body, controller.signal), controller.signal);
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'network';
      throw new SluiceError(code, this.#redactor.clean(explain(error)));
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
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

  async #post(content: readonly Header[], body: Uint8Array, signal: AbortSignal): Promise<HttpResponse> {
    const request = { method: 'POST', url: this.#wireUrl(), host: this.#hostHeader, body } as const;
    const own = (await this.#auth?.headers(request)) ?? [];
    const headers = mergeHeaders([['Host', this.#hostHeader]], this.#headers, content, own);
    await this.#followTls();
    // One immediate second try: a connection that the peer closed while idle fails exactly once. With several backends
    // each of them gets its chance.
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const backend = await this.#backends.pick();
      backend.inFlight++;
      try {
        return await this.#exchange(backend, headers, body, signal);
      } catch (error) {
        const several = this.#naming !== 'plain';
        if (signal.aborted || this.#closed) throw error;
        if (several) this.#backends.failed(backend);
        const again = isLost(error) ? tries < 2 : several && tries < this.#backends.all.length;
        if (!again) throw error;
      } finally {
        backend.inFlight--;
      }
    }
  }

  async #exchange(
    backend: Backend<Connection>,
    headers: readonly Header[],
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const path = this.#url.pathname + this.#url.search;
    const plainProxy = this.#throughPlainProxy();
    const proxyAuth = plainProxy && proxyAuthorization(this.#proxy!);
    const reply = await backend.connection.pool.request({
      method: 'POST',
      path: plainProxy ? `http://${this.#hostAndPort(backend.address)}${path}` : path,
      headers: [...headers, ...(proxyAuth ? [['Proxy-Authorization', proxyAuth]] : [])].flat(),
      body,
      signal,
    });
    const reading = readText(reply.body, this.#ports.clock);
    const { statusCode: status, headers: answered } = reply;
    // The block is safe as soon as the status says so; what follows matters only for the connection.
    if (status >= 200 && status < 300) return { status, text: '', headers: answered };
    const encoded = answered['content-encoding'] !== undefined;
    const text = await reading;
    const retryAfter = answered['retry-after'];
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

  /** The URL as the peer sees it: without `dns+`, `srv+` and credentials. */
  #wireUrl(): URL {
    return new URL(this.#url.href.replace(/^(https?:\/\/)(?:[^/@]*@)?(?:dns\+|srv\+)?/, '$1'));
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

/** Reads the whole answer within limits and gives the beginning of it; never rejects. */
async function readText(
  body: AsyncIterable<Uint8Array> & { destroy(): unknown; on(event: 'error', listener: () => void): unknown },
  clock: Clock,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const cancel = clock.after(DRAIN_MS, () => body.destroy());
  body.on('error', () => {});
  try {
    for await (const chunk of body) {
      if (bytes < TEXT_BYTES_MAX) chunks.push(chunk.subarray(0, TEXT_BYTES_MAX - bytes));
      bytes += chunk.byteLength;
      // Leaving the loop destroys the connection.
      if (bytes > DRAIN_BYTES_MAX) break;
    }
  } catch {
    // The status is what counts; the text is for people.
  } finally {
    cancel();
  }
  return Buffer.concat(chunks).toString('utf8');
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
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
