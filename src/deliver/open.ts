/** From a destination's option values to its transport and sender configuration. */
import type { Transport } from '../destination/destination.ts';
import { destinationOf } from '../destination/index.ts';
import type { Codec } from '../model/block.ts';
import { REMOTE_WRITE_2 } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import { SluiceError } from '../util/error.ts';
import type { Meter } from '../util/meter.ts';
import { HttpClient, type HttpPorts } from './http.ts';
import { type DeliverValues, freshParallelOf, parallelOf } from './options.ts';
import { parsePolicy } from './response-policy.ts';
import type { SenderConfig } from './sender.ts';

export interface DestinationSetup {
  readonly name: string;
  /** As configured, with credentials. */
  readonly url: string;
  readonly shownUrl: string;
  /** This destination's values of `deliverOptions` and of the options of the destination kinds. */
  readonly values: DeliverValues & Readonly<Record<string, unknown>>;
}

/** Opens the way to a destination; nothing is connected or written before the first block. */
export function openTransport(
  setup: DestinationSetup,
  ports: HttpPorts & { readonly meter: Meter },
): Transport {
  const kind = destinationOf(setup.url);
  if (kind === undefined) {
    throw new SluiceError(
      'bad_url',
      `cannot open the destination ${setup.shownUrl}: no kind takes its URL; use http://, https:// or file:PATH`,
    );
  }
  const insecure = setup.url.startsWith('https:') && setup.values['remoteWrite.tlsInsecureSkipVerify'];
  ports.meter
    .gauge('sluice_destination_tls_insecure', "1 when the destination's certificate is not checked.", {
      url: setup.shownUrl,
    })
    .set(insecure ? 1 : 0);
  if (insecure) {
    ports.log.warn('the certificate of a destination is not checked', { destination: setup.shownUrl });
  }
  return kind.open(
    { url: setup.url, shownUrl: setup.shownUrl, options: setup.values },
    {
      clock: ports.clock,
      log: ports.log,
      meter: ports.meter,
      http: () => new HttpClient(setup.url, setup.values, ports),
    },
  );
}

function isVersion2(values: DeliverValues): boolean {
  return values['remoteWrite.protobufMessage'] === REMOTE_WRITE_2;
}

/** The codec that the blocks of a destination start with. */
export function firstCodec(url: string, values: DeliverValues): Codec {
  if (values['remoteWrite.forceVMProto']) return 'zstd';
  if (values['remoteWrite.forcePromProto'] || isVersion2(values)) return 'snappy';
  return destinationOf(url)?.codec ?? 'snappy';
}

export function senderConfigOf({ name, url, shownUrl, values }: DestinationSetup): SenderConfig {
  return {
    name,
    shownUrl,
    parallel: parallelOf(values),
    freshParallel: freshParallelOf(values),
    backoff: {
      minMs: values['remoteWrite.retryMinInterval'],
      maxMs: values['remoteWrite.retryMaxInterval'],
    },
    rateLimitBytesPerS: values['remoteWrite.rateLimit'],
    forceVmProto: values['remoteWrite.forceVMProto'],
    codec: firstCodec(url, values),
    policy: policyOf(values['remoteWrite.responsePolicy']),
  };
}

function policyOf(text: string) {
  const policy = parsePolicy(text);
  assert(!('error' in policy), 'the policy was checked with the other options');
  return policy;
}
