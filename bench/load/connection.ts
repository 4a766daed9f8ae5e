/**
 * One keep-alive HTTP/1.1 connection that sends prepared requests one after the other. Written on bare sockets
 * because the generator shares the machine with the relay: undici would take as much CPU as the relay itself.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEADER_END = Buffer.from('\r\n\r\n');

export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(status: number): void; reject(error: Error): void } | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends the bytes of a whole request; resolves with the status code when the whole response is there. */
  send(request: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket ??= this.#open();
      this.#socket.write(request);
    });
  }

  /** Sends a chunked request: the head, and chunks until there are no more; resolves as `send` does. */
  async stream(head: Uint8Array, nextChunk: () => Uint8Array | undefined): Promise<number> {
    const answered = this.send(head);
    for (let chunk = nextChunk(); chunk !== undefined; chunk = nextChunk()) {
      const socket = this.#socket;
      // The answer came early, or the connection is gone.
      if (socket === undefined || this.#waiting === undefined) return answered;
      socket.write(`${chunk.byteLength.toString(16)}\r\n`);
      socket.write(chunk);
      if (!socket.write('\r\n')) await Promise.race([once(socket, 'drain'), answered]);
    }
    this.#socket?.write('0\r\n\r\n');
    return answered;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk) => this.#receive(chunk));
    const fail = (error: Error) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#received = Buffer.alloc(0);
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the relay closed the connection before it had answered')));
    return socket;
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headerEnd = this.#received.indexOf(HEADER_END);
    if (headerEnd < 0) return;
    const header = this.#received.toString('latin1', 0, headerEnd);
    const bodyLength = Number(/\r\ncontent-length: *(\d+)/i.exec(header)?.[1] ?? 0);
    if (this.#received.length < headerEnd + HEADER_END.length + bodyLength) return;
    this.#received = Buffer.alloc(0);
    // Servers end a connection now and then (vmagent every two minutes); the next request opens a new one.
    if (/\r\n(connection: *close|transfer-encoding:)/i.test(header)) this.close();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(Number(header.slice(9, 12)));
  }
}
