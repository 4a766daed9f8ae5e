/** Prometheus remote write 1.0: a compressed protobuf `WriteRequest`. https://prometheus.io/docs/specs/prw/remote_write_spec/ */
import { options } from '../config/option.ts';
import type { Protocol, Reception, RequestHead } from './protocol.ts';

const COUNTER_PATH = '/api/v1/write';
/** VictoriaMetrics' senders ask with this query parameter whether the receiver takes zstd; `1` means yes. */
const HANDSHAKE_PARAMETER = 'get_vm_proto_version';
const VERSION_2_MESSAGE = 'io.prometheus.write.v2.request';

const REFUSE_VERSION_2: Reception = {
  kind: 'refusal',
  status: 415,
  error:
    'cannot take Prometheus remote write 2.0 (io.prometheus.write.v2.Request): this version speaks remote write 1.0; ' +
    'send prometheus.WriteRequest (protobuf_message: prometheus.WriteRequest in remote_write)',
};
const HANDSHAKE: Reception = {
  kind: 'answer',
  answer: { status: 200, body: '1', contentType: 'text/plain; charset=utf-8' },
};
const SNAPPY_FIRST: Reception = { kind: 'body', encoding: 'snappy-or-zstd' };
const ZSTD_FIRST: Reception = { kind: 'body', encoding: 'zstd-or-snappy' };

/** Wrong and missing encodings are forgiven as in vmagent: the header only says what is tried first. */
function receive(head: RequestHead): Reception {
  if (head.query.get(HANDSHAKE_PARAMETER)) return HANDSHAKE;
  // A 2.0 message read as 1.0 has no series: it would be acknowledged and lost.
  if (head.header('content-type').toLowerCase().includes(VERSION_2_MESSAGE)) return REFUSE_VERSION_2;
  return head.header('content-encoding') === 'zstd' ? ZSTD_FIRST : SNAPPY_FIRST;
}

export const remoteWrite: Protocol = {
  name: 'promremotewrite',
  summary: 'Prometheus remote write 1.0 and VictoriaMetrics remote write, snappy or zstd.',
  routes: ['/api/v1/write', '/api/v1/push', '/prometheus/api/v1/write', '/prometheus/api/v1/push'].map(
    (path) => ({ path, counterPath: COUNTER_PATH }),
  ),
  options: options({}),
  accepted: { status: 204 },
  receive,
};
