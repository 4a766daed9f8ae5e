/** Remote write 2.0 for tests: requests by protobufjs and `proto/remote2.proto`, independent of the daemon's kernels. */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { compress } from 'snappyjs';
import { type PushResponse, post } from './remote-write.ts';

const root = protobuf.loadSync(fileURLToPath(new URL('../../proto/remote2.proto', import.meta.url)));
export const Request2 = root.lookupType('io.prometheus.write.v2.Request');
export const CONTENT_TYPE_2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** A series as people write it; strings become symbols. */
export interface TestSeries {
  /** In this order. */
  readonly labels: readonly (readonly [string, string])[];
  readonly samples?: readonly object[];
  readonly histograms?: readonly object[];
  readonly exemplars?: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
    readonly timestamp?: number;
  }[];
  readonly metadata?: { readonly type?: number; readonly help?: string; readonly unit?: string };
  readonly createdTimestamp?: number;
}

export function encodeRequest2(series: readonly TestSeries[]): Uint8Array {
  const symbols = new Map([['', 0]]);
  const ref = (text: string): number => {
    if (!symbols.has(text)) symbols.set(text, symbols.size);
    return symbols.get(text)!;
  };
  const refs = (labels: Iterable<readonly [string, string]>) => [...labels].flat().map(ref);
  const timeseries = series.map(({ labels, exemplars = [], metadata, ...rest }) => ({
    ...rest,
    labelsRefs: refs(labels),
    exemplars: exemplars.map(({ labels: own, ...more }) => ({
      ...more,
      labelsRefs: refs(Object.entries(own)),
    })),
    ...(metadata && {
      metadata: {
        type: metadata.type ?? 0,
        helpRef: ref(metadata.help ?? ''),
        unitRef: ref(metadata.unit ?? ''),
      },
    }),
  }));
  return Request2.encode(Request2.fromObject({ symbols: [...symbols.keys()], timeseries })).finish();
}

export interface Written {
  readonly samples: string | null;
  readonly histograms: string | null;
  readonly exemplars: string | null;
}

export function writtenOf({ headers }: PushResponse): Written {
  const of = (kind: string) => headers.get(`x-prometheus-remote-write-${kind}-written`);
  return { samples: of('samples'), histograms: of('histograms'), exemplars: of('exemplars') };
}

export function post2(
  url: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<PushResponse> {
  return post(url, body, {
    'Content-Type': CONTENT_TYPE_2,
    'X-Prometheus-Remote-Write-Version': '2.0.0',
    ...headers,
  });
}

export function push2(url: string, series: readonly TestSeries[]): Promise<PushResponse> {
  return post2(url, compress(encodeRequest2(series)));
}
