/** Addresses to listen on, in Go's form. */
import { SluiceError } from '../util/error.ts';

export interface ListenAddress {
  /** Undefined: all interfaces, IPv6 and IPv4. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads `:8429`, `127.0.0.1:8429`, `name:8429` and `[::1]:8429`. Throws a SluiceError for anything else. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new SluiceError(
      'listen-address',
      `cannot listen on ${JSON.stringify(text)}: it is not of the form host:port; write for example :8429, 127.0.0.1:8429 or [::1]:8429`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? undefined : host, port };
}
