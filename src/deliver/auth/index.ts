import type { DeliverValues } from '../options.ts';
import type { Auth, AuthKind, AuthPorts } from './auth.ts';
import { basic } from './basic.ts';
import { bearer } from './bearer.ts';
import { oauth2 } from './oauth2.ts';
import { sigv4 } from './sigv4.ts';

/** Every authentication kind; a new one is a file and a line here. */
export const authKinds = { basic, bearer, oauth2, sigv4 } satisfies Record<string, AuthKind>;

/** The configured kind, ready for use; undefined when there is none. */
export function openAuth(values: DeliverValues, ports: AuthPorts): Auth | undefined {
  return Object.values(authKinds)
    .find((kind) => kind.configured(values))
    ?.open(values, ports);
}
