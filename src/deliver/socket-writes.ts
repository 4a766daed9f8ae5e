/**
 * What sockets may still read: memory of writes that have begun and not ended. An answer is no sign of an end, since a peer may
 * answer before it has read the whole request. Main thread only.
 */
import type { Socket } from 'node:net';

export class SocketWrites {
  /** Writes under way, by the memory that they read. */
  readonly #open = new WeakMap<ArrayBufferLike, number>();

  /** Counts the writes of this socket from now on. A write whose end is never told counts forever. */
  watch(socket: Socket): void {
    const { write } = socket;
    const watched = (chunk: unknown, ...rest: unknown[]): boolean => {
      // Text is copied.
      if (!(chunk instanceof Uint8Array)) return Reflect.apply(write, socket, [chunk, ...rest]);
      const { buffer } = chunk;
      this.#open.set(buffer, (this.#open.get(buffer) ?? 0) + 1);
      const told = rest.at(-1);
      const others = typeof told === 'function' ? rest.slice(0, -1) : rest;
      const onEnd = (error: unknown) => {
        this.#ended(buffer);
        if (typeof told === 'function') told(error);
      };
      return Reflect.apply(write, socket, [chunk, ...others, onEnd]);
    };
    socket.write = watched as typeof write;
  }

  /** Whether a socket may still read these bytes, or others of the same memory. */
  has({ buffer }: Uint8Array): boolean {
    return this.#open.has(buffer);
  }

  #ended(buffer: ArrayBufferLike): void {
    const left = (this.#open.get(buffer) ?? 0) - 1;
    if (left > 0) this.#open.set(buffer, left);
    else this.#open.delete(buffer);
  }
}
