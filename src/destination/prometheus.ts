/**
 * Remote write over HTTP: 1.0 with snappy as Prometheus specifies it, or zstd as VictoriaMetrics takes it; 2.0 if it is asked for.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
import { readFileSync } from 'node:fs';
import type { Codec } from '../model/block.ts';
import { REMOTE_WRITE_2 } from '../model/body.ts';
import type { DestinationKind, Header, Transport } from './destination.ts';
import { Version2 } from './prometheus-2.ts';

const version: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version;

export const userAgent = `sluice/${version}`;

const agent: Header = ['User-Agent', userAgent];
const common: readonly Header[] = [agent, ['Content-Type', 'application/x-protobuf']];

/** Headers that belong to the bytes; configured headers of the same names lose against them. */
export const contentHeaders: Readonly<Record<Codec, readonly Header[]>> = {
  snappy: [...common, ['Content-Encoding', 'snappy'], ['X-Prometheus-Remote-Write-Version', '0.1.0']],
  zstd: [...common, ['Content-Encoding', 'zstd'], ['X-VictoriaMetrics-Remote-Write-Version', '1']],
};

export const prometheus: DestinationKind = {
  name: 'prometheus',
  summary:
    'Remote write over HTTP, for http:// and https:// URLs. A host that starts with dns+ or srv+ is looked up every 10 seconds and its backends share the load.',
  options: {},
  codec: 'zstd',
  accepts: (url) => /^https?:\/\//i.test(url),
  check(url) {
    if (!URL.canParse(url)) {
      return { message: 'the URL cannot be parsed', hint: 'write it as http://host:port/api/v1/write' };
    }
    return undefined;
  },
  open(config, ports) {
    const http = ports.http();
    const first: Transport = {
      send: (block, signal) => http.post(contentHeaders[block.codec], block.bytes, signal),
      isDoneWith: (bytes) => http.isDoneWith(bytes),
      close: () => http.close(),
    };
    const isSecond = config.options['remoteWrite.protobufMessage'] === REMOTE_WRITE_2;
    return isSecond ? new Version2(config, ports, http, agent, first) : first;
  },
};
