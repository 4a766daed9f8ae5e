import type { Endpoint } from '../ingest/endpoint.ts';
import type { ServicePorts } from './ports.ts';
import { text } from './text.ts';

/** Reads the files of rules again, as SIGHUP does. The answer does not wait for it: look at the log and the metrics. */
export function reload(ports: Pick<ServicePorts, 'reload'>): Endpoint {
  return {
    paths: ['/-/reload'],
    access: 'reloadAuthKey',
    handle: () => {
      ports.reload();
      return text(200, '');
    },
  };
}
