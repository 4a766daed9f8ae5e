import type { Socket } from 'node:net';
import type { Counter, Meter } from '../util/meter.ts';

/** `vmagent_remotewrite_conn*` and `…dial*`: all destinations together. One instance per process. */
export class ConnectionStats {
  readonly #dials: Counter;
  readonly #dialErrors: Counter;
  readonly #readErrors: Counter;
  readonly #writeErrors: Counter;
  readonly #open = new Set<Socket>();
  readonly #closedBytes = { read: 0, written: 0 };
  #reads = 0;
  #writes = 0;

  constructor(meter: Meter) {
    const name = (rest: string) => `vmagent_remotewrite_${rest}`;
    this.#dials = meter.counter(name('dials_total'), 'Attempts to connect to a destination or its proxy.');
    this.#dialErrors = meter.counter(name('dial_errors_total'), 'Attempts to connect that failed.');
    this.#readErrors = meter.counter(name('conn_read_errors_total'), 'Connections that broke while reading.');
    this.#writeErrors = meter.counter(
      name('conn_write_errors_total'),
      'Connections that broke while writing.',
    );
    meter.gaugeOf(name('conns'), 'Open connections to destinations.', {}, () => this.#open.size);
    meter.counterOf(name('conn_reads_total'), 'Reads from destination connections.', {}, () => this.#reads);
    meter.counterOf(name('conn_writes_total'), 'Writes to destination connections.', {}, () => this.#writes);
    meter.counterOf(name('conn_bytes_read_total'), 'Bytes read from destinations.', {}, () =>
      this.#sum('read', (socket) => socket.bytesRead),
    );
    meter.counterOf(name('conn_bytes_written_total'), 'Bytes written to destinations.', {}, () =>
      this.#sum('written', (socket) => socket.bytesWritten),
    );
  }

  dialing(): void {
    this.#dials.inc();
  }

  dialFailed(): void {
    this.#dialErrors.inc();
  }

  /** Counts a connection from now until it closes. */
  opened(socket: Socket): void {
    this.#open.add(socket);
    const { push, write } = socket;
    socket.push = (chunk, encoding) => {
      if (chunk !== null) this.#reads++;
      return push.call(socket, chunk, encoding);
    };
    socket.write = ((...args: Parameters<typeof write>) => {
      this.#writes++;
      return write.apply(socket, args);
    }) as typeof write;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall === 'read') this.#readErrors.inc();
      if (error.syscall === 'write') this.#writeErrors.inc();
    });
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedBytes.read += socket.bytesRead;
      this.#closedBytes.written += socket.bytesWritten;
    });
  }

  #sum(part: 'read' | 'written', of: (socket: Socket) => number): number {
    let bytes = this.#closedBytes[part];
    for (const socket of this.#open) bytes += of(socket);
    return bytes;
  }
}
