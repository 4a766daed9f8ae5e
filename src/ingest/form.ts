/** Reads the fields of a form that a browser posts to a page. */
import type { IncomingMessage } from 'node:http';
import type { BufferPool } from '../util/buffer-pool.ts';
import { type BodyFailure, BodyReader } from './body-reader.ts';
import type { BodyWatch } from './body-watch.ts';

/** Much more than somebody types, and little enough to read without a token. */
export const FORM_BYTES_MAX = 128 * 1024;

export function readForm(
  request: IncomingMessage,
  ports: { readonly pool: BufferPool; readonly watch: BodyWatch },
): Promise<URLSearchParams | BodyFailure> {
  return new Promise((resolve) => {
    const limits = { bytesMax: FORM_BYTES_MAX, expected: undefined };
    const reader = new BodyReader(request, limits, ports, {
      large: () => {},
      complete: (bytes) => {
        resolve(new URLSearchParams(new TextDecoder().decode(bytes)));
        reader.release();
      },
      failed: resolve,
    });
    reader.start();
  });
}
