/** The answer to bytes that are no HTTP request; there is no request object then, only a socket. */
import type { Duplex } from 'node:stream';

const answers: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the head of the request is too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Content Too Large', 'the chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the head of the request did not come in time'],
};

/** Answers and closes. Every such connection is closed, because where the next request would begin is unknown. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const isResponding = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent;
  if (!socket.writable || error.code === 'ECONNRESET' || isResponding) {
    socket.destroy();
    return;
  }
  const [status, text] = answers[error.code ?? ''] ?? [
    '400 Bad Request',
    'the request is not valid HTTP/1.1',
  ];
  const body = `cannot read the request: ${text}\n`;
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  // Destroyed once it is written: a client that never closes its side would keep a half-closed socket open.
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
