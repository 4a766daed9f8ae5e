/** Makes the connections of a destination: TCP, then perhaps a proxy, then perhaps TLS. */
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../util/clock.ts';
import type { ConnectionStats } from './connection-stats.ts';
import { tunnel } from './proxy.ts';
import { lookupWith, type Resolver } from './resolve.ts';

/** As long as Go's dialer waits; the whole attempt is bounded by the send timeout besides. */
const DIAL_TIMEOUT_MS = 30_000;

export interface ConnectConfig {
  readonly host: string;
  readonly port: number;
  /** undefined: no TLS with the destination. */
  readonly tls: ConnectionOptions | undefined;
  /** The name that the certificate must carry. */
  readonly serverName: string;
  readonly handshakeTimeoutMs: number;
  /** A proxy that is to be tunnelled through. */
  readonly proxy: URL | undefined;
  /** TLS with an https:// proxy. */
  readonly proxyTls: ConnectionOptions;
}

export interface ConnectPorts {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly stats: ConnectionStats;
}

/** The connector for an undici pool; it ignores the pool's origin and goes where `config` says. */
export function connectorTo(
  config: ConnectConfig,
  ports: ConnectPorts,
  opened: (socket: Socket) => void,
): buildConnector.connector {
  let session: Buffer | undefined;
  return (_options, callback) => {
    ports.stats.dialing();
    dial(config, ports, session, (fresh) => {
      session = fresh;
    }).then(
      (socket) => {
        ports.stats.opened(socket);
        opened(socket);
        callback(null, socket);
      },
      (error) => {
        ports.stats.dialFailed();
        callback(error, null);
      },
    );
  };
}

async function dial(
  config: ConnectConfig,
  ports: ConnectPorts,
  session: Buffer | undefined,
  onSession: (session: Buffer) => void,
): Promise<Socket> {
  const { proxy, tls, handshakeTimeoutMs: timeoutMs } = config;
  const first = proxy === undefined ? config : { host: bare(proxy.hostname), port: proxyPort(proxy) };
  let socket = await dialTcp(first.host, first.port, ports);
  try {
    if (proxy?.protocol === 'https:') {
      socket = await handshake(socket, first.host, config.proxyTls, timeoutMs, ports.clock);
    }
    if (proxy !== undefined) {
      await within(
        tunnel(socket, proxy, config.host, config.port),
        timeoutMs,
        'the proxy',
        socket,
        ports.clock,
      );
    }
    if (tls === undefined) return socket;
    const options = session === undefined ? tls : { ...tls, session };
    const secure = await handshake(socket, config.serverName, options, timeoutMs, ports.clock);
    return secure.on('session', onSession);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

const bare = (hostname: string) => hostname.replace(/^\[|\]$/g, '');

function proxyPort(proxy: URL): number {
  if (proxy.port !== '') return Number(proxy.port);
  if (proxy.protocol === 'https:') return 443;
  return proxy.protocol === 'http:' ? 80 : 1080;
}

async function dialTcp(host: string, port: number, { clock, resolver }: ConnectPorts): Promise<Socket> {
  const socket = netConnect({ host, port, lookup: lookupWith(resolver), noDelay: true, keepAlive: true });
  await within(settled(socket, 'connect'), DIAL_TIMEOUT_MS, 'the connection', socket, clock);
  return socket;
}

async function handshake(
  socket: Socket,
  serverName: string,
  options: ConnectionOptions,
  timeoutMs: number,
  clock: Clock,
): Promise<TLSSocket> {
  const secure = tlsConnect({
    ...options,
    socket,
    ALPNProtocols: ['http/1.1'],
    // Addresses are checked against the certificate too, but are not sent as a name.
    host: serverName,
    ...(isIP(serverName) ? {} : { servername: serverName }),
  });
  await within(settled(secure, 'secureConnect'), timeoutMs, 'the TLS handshake', secure, clock);
  return secure;
}

function settled(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(error);
    const onClose = () => reject(new Error('the connection was closed before it was ready'));
    socket.once('error', onError).once('close', onClose);
    socket.once(event, () => {
      socket.off('error', onError).off('close', onClose);
      resolve();
    });
  });
}

/** Destroys the socket when `work` takes too long or fails. */
async function within(
  work: Promise<void>,
  timeoutMs: number,
  what: string,
  socket: Socket,
  clock: Clock,
): Promise<void> {
  // The error that ended the work is told by its promise; later ones of the dying socket must not be unhandled.
  const ignore = () => {};
  socket.on('error', ignore);
  const cancel = clock.after(timeoutMs, () => {
    socket.destroy(
      Object.assign(new Error(`${what} took longer than ${timeoutMs} ms`), { code: 'ETIMEDOUT' }),
    );
  });
  try {
    await work;
    socket.off('error', ignore);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    cancel();
  }
}
