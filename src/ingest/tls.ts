/** TLS of the listeners: certificates from files, taken again when a file changes. */
import { readFile, stat } from 'node:fs/promises';
import type { Server as TlsServer } from 'node:tls';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { IngestValues } from './options.ts';

const RECHECK_MS = 1_000;
const LOG_EVERY_MS = 60_000;

const versions = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  readonly minVersion: (typeof versions)[keyof typeof versions];
}

/** The item of a listener: its own, or the only one for all. */
function itemOf<T>(values: readonly T[], index: number): T | undefined {
  return values.length === 1 ? values[0] : values[index];
}

/** The TLS settings of the listener at `index`; undefined if it speaks plain HTTP. Throws a SluiceError if a file is missing. */
export function tlsSettings(values: IngestValues, index: number): TlsSettings | undefined {
  if (!itemOf(values.tls, index)) return undefined;
  const certFile = itemOf(values.tlsCertFile, index) ?? '';
  const keyFile = itemOf(values.tlsKeyFile, index) ?? '';
  if (certFile === '' || keyFile === '') {
    const address = values.httpListenAddr[index];
    throw new SluiceError(
      'tls-files',
      `cannot listen on ${address} with TLS: the certificate or its key is missing; set -tlsCertFile and -tlsKeyFile`,
    );
  }
  const minVersion = versions[(itemOf(values.tlsMinVersion, index) || 'TLS12') as keyof typeof versions];
  return { certFile, keyFile, minVersion };
}

export interface Credentials {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: TlsSettings['minVersion'];
}

/** Throws a SluiceError. */
export async function readCredentials(settings: TlsSettings): Promise<Credentials> {
  try {
    const [cert, key] = await Promise.all([readFile(settings.certFile), readFile(settings.keyFile)]);
    return { cert, key, minVersion: settings.minVersion };
  } catch (cause) {
    throw new SluiceError(
      'tls-files',
      `cannot read the TLS files: ${messageOf(cause)}; check -tlsCertFile and -tlsKeyFile`,
      { cause },
    );
  }
}

/** Looks every second whether a file has changed and gives the server the new certificate; the old one stays if it is bad. */
export class CertificateWatch {
  readonly #server: Pick<TlsServer, 'setSecureContext'>;
  readonly #settings: TlsSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  #stamp: string | undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(
    server: Pick<TlsServer, 'setSecureContext'>,
    settings: TlsSettings,
    ports: { readonly clock: Clock; readonly log: Logger },
  ) {
    this.#server = server;
    this.#settings = settings;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  start(): void {
    this.#cancel?.();
    if (!this.#isStopped) this.#cancel = this.#clock.after(RECHECK_MS, () => void this.check());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** One look; never throws. Then the next one is planned. */
  async check(): Promise<void> {
    try {
      const stamp = await this.#readStamp();
      if (this.#stamp !== undefined && stamp !== this.#stamp) {
        this.#server.setSecureContext(await readCredentials(this.#settings));
        this.#log.info('took the changed TLS certificate', { certFile: this.#settings.certFile });
      }
      // A certificate and a key that do not match are tried again: the second file may be about to be written.
      this.#stamp = stamp;
    } catch (error) {
      this.#log
        .limited('tls', LOG_EVERY_MS)
        .error('cannot take the changed TLS certificate; the old one stays in use', {
          error: messageOf(error),
        });
    }
    this.start();
  }

  async #readStamp(): Promise<string> {
    const files = [this.#settings.certFile, this.#settings.keyFile];
    const stats = await Promise.all(files.map((file) => stat(file)));
    return stats.map(({ mtimeMs, size, ino }) => `${mtimeMs}:${size}:${ino}`).join(' ');
  }
}
