import type { Endpoint } from '../ingest/endpoint.ts';
import type { ServicePorts } from './ports.ts';
import { text } from './text.ts';

/** The options that were set, one a line, as flags. */
export function flags(ports: Pick<ServicePorts, 'setOptions'>): Endpoint {
  return {
    paths: ['/flags'],
    access: 'flagsAuthKey',
    handle: () => {
      const lines = ports.setOptions().map(({ name, value }) => `-${name}=${JSON.stringify(value)}\n`);
      return text(200, lines.join(''));
    },
  };
}
