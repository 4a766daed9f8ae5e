/**
 * Prometheus remote write: a compressed protobuf message, `WriteRequest` of 1.0 or `Request` of 2.0, by Content-Type.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/ and …/remote_write_spec_2_0/
 */
import { options } from '../config/option.ts';
import { REMOTE_WRITE_2 } from '../model/body.ts';
import type { Protocol, Reception, RequestHead } from './protocol.ts';

const COUNTER_PATH = '/api/v1/write';
/** VictoriaMetrics' senders ask with this query parameter whether the receiver takes zstd; `1` means yes. */
const HANDSHAKE_PARAMETER = 'get_vm_proto_version';
const VERSION_1_MESSAGE = 'prometheus.WriteRequest';
/** What surely is no protobuf. Everything else is taken for 1.0, as vmagent does, which never looks. */
const OTHER_CONTENT = /^(application\/(json|xml)|(image|audio|video|multipart)\/.*)$/;
const HEADER = 'X-Prometheus-Remote-Write';

/** Also for histograms that come otherwise than by remote write. */
export const CONVERT_HISTOGRAMS = 'promremotewrite.convertNativeHistograms';

const remoteWriteOptions = options({
  [CONVERT_HISTOGRAMS]: {
    kind: 'bool',
    default: false,
    ours: true,
    summary:
      'Make series with vmrange buckets of native histograms, as vmagent does, before relabeling. By default they go on as they are; VictoriaMetrics makes these series itself.',
  },
});

const HANDSHAKE: Reception = {
  kind: 'answer',
  answer: { status: 200, body: '1', contentType: 'text/plain; charset=utf-8' },
};
const SNAPPY_FIRST: Reception = { kind: 'body', encoding: 'snappy-or-zstd' };
const ZSTD_FIRST: Reception = { kind: 'body', encoding: 'zstd-or-snappy' };
const version2 = {
  message: REMOTE_WRITE_2,
  receipt: (taken) => ({
    [`${HEADER}-Samples-Written`]: String(taken.samples),
    [`${HEADER}-Histograms-Written`]: String(taken.histograms),
    [`${HEADER}-Exemplars-Written`]: String(taken.exemplars),
  }),
} satisfies Partial<Reception>;
const SNAPPY_FIRST_2: Reception = { ...SNAPPY_FIRST, ...version2 };
const ZSTD_FIRST_2: Reception = { ...ZSTD_FIRST, ...version2 };

function unsupported(what: string, remedy: string): Reception {
  return { kind: 'refusal', status: 415, error: `cannot take the request: ${what}; ${remedy}` };
}

/** The parameter `proto` of a Content-Type, in lower case; undefined when there is none. */
function messageOf(parameters: readonly string[]): string | undefined {
  for (const parameter of parameters) {
    const [name, value] = parameter.split('=', 2).map((part) => part.trim().toLowerCase());
    if (name === 'proto') return (value ?? '').replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}

function receive(head: RequestHead): Reception {
  if (head.query.get(HANDSHAKE_PARAMETER)) return HANDSHAKE;
  const contentType = head.header('content-type');
  const [mediaType = '', ...parameters] = contentType.split(';');
  const message = messageOf(parameters);
  const encoding = head.header('content-encoding');
  const shown = JSON.stringify(contentType.slice(0, 200));
  if (message === REMOTE_WRITE_2.toLowerCase()) {
    if (encoding === 'zstd') return ZSTD_FIRST_2;
    if (encoding === '' || encoding.toLowerCase() === 'snappy') return SNAPPY_FIRST_2;
    return unsupported(
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 50))} is none of remote write 2.0`,
      'use snappy or zstd',
    );
  }
  if (message !== undefined && message !== VERSION_1_MESSAGE.toLowerCase()) {
    return unsupported(
      `Content-Type ${shown} names a message that is not known`,
      `send ${VERSION_1_MESSAGE} or ${REMOTE_WRITE_2}`,
    );
  }
  if (OTHER_CONTENT.test(mediaType.trim().toLowerCase())) {
    return unsupported(
      `Content-Type ${shown} is not remote write`,
      `send application/x-protobuf, for 2.0 application/x-protobuf;proto=${REMOTE_WRITE_2}`,
    );
  }
  // Wrong and missing encodings are forgiven in 1.0, as in vmagent: the header only says what is tried first.
  return encoding === 'zstd' ? ZSTD_FIRST : SNAPPY_FIRST;
}

export const remoteWrite: Protocol = {
  name: 'promremotewrite',
  summary: 'Prometheus remote write 1.0 and 2.0 and VictoriaMetrics remote write, snappy or zstd.',
  routes: ['/api/v1/write', '/api/v1/push', '/prometheus/api/v1/write', '/prometheus/api/v1/push'].map(
    (path) => ({ path, counterPath: COUNTER_PATH }),
  ),
  options: remoteWriteOptions,
  accepted: { status: 204 },
  receive,
};
