/** Which proxy a request goes through, and how a connection through it is made. */
import { BlockList, isIP, type Socket } from 'node:net';

export const proxySchemes: readonly string[] = ['http:', 'https:', 'socks5:', 'socks5h:'];

type Env = Readonly<Record<string, string | undefined>>;

/** The configured proxy, else what the environment says for this target; undefined: connect directly. */
export function chooseProxy(target: URL, proxyUrl: string, env: Env): URL | undefined {
  if (proxyUrl !== '') return new URL(proxyUrl);
  const either = (name: string) => env[name] || env[name.toLowerCase()] || '';
  const value = either(target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (value === '' || isLocal(target) || isExcepted(target, either('NO_PROXY'))) return undefined;
  const url = value.includes('://') ? value : `http://${value}`;
  return URL.canParse(url) && proxySchemes.includes(new URL(url).protocol) ? new URL(url) : undefined;
}

const bareHost = (url: URL) => url.hostname.replace(/^\[|\]$/g, '').toLowerCase();

/** As in Go: a proxy from the environment is never used for this machine itself. */
function isLocal(url: URL): boolean {
  const host = bareHost(url);
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `NO_PROXY`: names (with all below them), `.name` (only below), addresses, CIDR ranges, each with an optional port, or `*`. */
function isExcepted(url: URL, list: string): boolean {
  const host = bareHost(url);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
    .some((item) => {
      if (item === '*') return true;
      if (item.includes('/')) return inRange(host, item);
      const [, name = item, itemPort] =
        /^(?:\[(?=.*\]))?([^[\]]*?)\]?(?::(\d+))?$/.exec(isIP(item) ? `[${item}]` : item) ?? [];
      if (itemPort !== undefined && itemPort !== port) return false;
      if (isIP(name)) return name === host;
      const domain = name.replace(/^\*?\./, '');
      return host.endsWith(`.${domain}`) || (host === domain && domain === name);
    });
}

function inRange(host: string, range: string): boolean {
  const [base = '', bits = ''] = range.split('/');
  const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
  if (!isIP(host) || !isIP(base) || family(host) !== family(base) || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (isIP(base) === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family(base));
  return list.check(host, family(host));
}

const credentials = (proxy: URL) => ({
  username: decodeURIComponent(proxy.username),
  password: decodeURIComponent(proxy.password),
});

/** The `Proxy-Authorization` value for an HTTP proxy; undefined when its URL has no user. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === '') return undefined;
  const { username, password } = credentials(proxy);
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Turns a connection to the proxy into one to `host:port`. Rejects when the proxy refuses; the socket is then useless. */
export async function tunnel(socket: Socket, proxy: URL, host: string, port: number): Promise<void> {
  if (proxy.protocol.startsWith('socks5')) await socks5(socket, proxy, host, port);
  else await httpConnect(socket, proxy, host, port);
}

const REPLY_BYTES_MAX = 16 * 1024;

async function httpConnect(socket: Socket, proxy: URL, host: string, port: number): Promise<void> {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const authorization = proxyAuthorization(proxy);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const head = await readUntil(socket, (bytes) => {
    const end = bytes.indexOf('\r\n\r\n');
    return end < 0 ? undefined : end + 4;
  });
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1'))?.[1];
  if (status === undefined || !status.startsWith('2'))
    throw new Error(`the proxy answered ${status ?? 'no HTTP'} to CONNECT`);
}

/** RFC 1928 with RFC 1929 (user name and password); the proxy resolves the name. */
async function socks5(socket: Socket, proxy: URL, host: string, port: number): Promise<void> {
  const { username, password } = credentials(proxy);
  const method = username === '' ? 0 : 2;
  socket.write(Uint8Array.of(5, 1, method));
  const choice = await readUntil(socket, (bytes) => (bytes.length >= 2 ? 2 : undefined));
  if (choice[0] !== 5 || choice[1] !== method)
    throw new Error('the SOCKS5 proxy does not take our way to log in');
  if (method === 2) {
    socket.write(Buffer.concat([Uint8Array.of(1), counted(username), counted(password)]));
    const answer = await readUntil(socket, (bytes) => (bytes.length >= 2 ? 2 : undefined));
    if (answer[1] !== 0) throw new Error('the SOCKS5 proxy refuses the user name or password');
  }
  socket.write(
    Buffer.concat([Uint8Array.of(5, 1, 0, 3), counted(host), Uint8Array.of(port >> 8, port & 255)]),
  );
  const reply = await readUntil(socket, socksReplyLength);
  if (reply[1] !== 0) throw new Error(`the SOCKS5 proxy cannot connect (reply ${reply[1]})`);
}

/** ver, reply, 0, address type, address (4, 16 or counted bytes), port (2). */
function socksReplyLength(bytes: Buffer): number | undefined {
  if (bytes.length < 5) return undefined;
  const type = bytes[3];
  const length = 6 + (type === 1 ? 4 : type === 4 ? 16 : 1 + bytes[4]!);
  return bytes.length >= length ? length : undefined;
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new Error('a name or password is too long for SOCKS5');
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

/** Reads until `lengthOf` knows how long the answer is; nothing may follow it, since the target speaks only when asked. */
function readUntil(socket: Socket, lengthOf: (bytes: Buffer) => number | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (act: () => void) => {
      socket.off('readable', onReadable).off('error', onError).off('close', onClose);
      act();
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onClose = () => onError(new Error('the proxy closed the connection'));
    const onReadable = () => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read())
        bytes = Buffer.concat([bytes, chunk]);
      const length = lengthOf(bytes);
      if (length === undefined && bytes.length <= REPLY_BYTES_MAX) return;
      if (length === bytes.length) settle(() => resolve(bytes));
      else onError(new Error('the proxy sent more than an answer'));
    };
    socket.on('readable', onReadable).on('error', onError).on('close', onClose);
    onReadable();
  });
}
