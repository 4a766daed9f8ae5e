/** Host names to addresses, as a port, so that tests (and nobody else) can answer themselves. */
import { lookup, resolveSrv } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';

export interface Resolver {
  /** IP addresses of a name. Rejects when there are none. */
  addresses(host: string): Promise<readonly string[]>;
  /** Targets of an SRV record. Rejects when there are none. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

export const systemResolver: Resolver = {
  async addresses(host) {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  },
  services: (name) => resolveSrv(name),
};

/** The form that `net.connect` wants. */
export function lookupWith(resolver: Resolver): LookupFunction {
  return (host, options, callback) => {
    resolver.addresses(host).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        if (found.length === 0) callback(new Error(`no address for ${host}`), '');
        else if (options.all) callback(null, found);
        else callback(null, found[0]!.address, found[0]!.family);
      },
      (error) => callback(error, ''),
    );
  };
}

/** How a URL names its host: as it is, or by `dns+` (one backend per address) or `srv+` (one per SRV target). */
export type Naming = 'plain' | 'dns' | 'srv';

export function namingOf(url: URL): { readonly naming: Naming; readonly host: string } {
  const [, prefix, rest] = /^(dns|srv)\+(.+)$/.exec(url.hostname) ?? [];
  const naming: Naming = prefix === 'dns' || prefix === 'srv' ? prefix : 'plain';
  return { naming, host: (rest ?? url.hostname).replace(/^\[|\]$/g, '') };
}
