import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../util/clock.ts';
import type { DeliverValues } from './options.ts';
import { WatchedFile } from './watched-file.ts';

/** TLS options whose files are followed: each change makes a new version, and new connections use it. */
export class TlsFiles {
  readonly #values: DeliverValues;
  readonly #files: readonly (readonly ['ca' | 'cert' | 'key', WatchedFile])[];
  #contents = '';
  #version = 0;
  #options: ConnectionOptions = {};

  constructor(values: DeliverValues, clock: Clock) {
    this.#values = values;
    const paths = [
      ['ca', values['remoteWrite.tlsCAFile']],
      ['cert', values['remoteWrite.tlsCertFile']],
      ['key', values['remoteWrite.tlsKeyFile']],
    ] as const;
    this.#files = paths
      .filter(([, path]) => path !== '')
      .map(([part, path]) => [part, new WatchedFile(path, clock)] as const);
  }

  /** Rejects when a file cannot be read. */
  async current(): Promise<{ readonly version: number; readonly options: ConnectionOptions }> {
    const parts = await Promise.all(
      this.#files.map(async ([part, file]) => [part, await file.read()] as const),
    );
    const contents = JSON.stringify(parts);
    if (contents !== this.#contents || this.#version === 0) {
      this.#contents = contents;
      this.#version++;
      this.#options = {
        ...Object.fromEntries(parts),
        rejectUnauthorized: !this.#values['remoteWrite.tlsInsecureSkipVerify'],
        minVersion: 'TLSv1.2',
      };
    }
    return { version: this.#version, options: this.#options };
  }
}
