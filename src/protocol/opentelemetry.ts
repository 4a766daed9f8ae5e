/**
 * Metrics of OpenTelemetry: OTLP over HTTP, as protobuf or JSON, over gRPC, and in the envelope of Amazon Data Firehose.
 * A data point becomes a series of Prometheus, or several; see opentelemetry-points.ts.
 * https://opentelemetry.io/docs/specs/otlp/
 */
import type { Values } from '../config/option.ts';
import { receiveBody } from './content-encoding.ts';
import { FieldError } from './json-fields.ts';
import { exportResponse, forFirehose, inJson, inProtobuf, JSON_TYPE } from './opentelemetry-answers.ts';
import { requestOfFirehose } from './opentelemetry-firehose.ts';
import { OtlpJsonError, requestOfJson } from './opentelemetry-json.ts';
import { MetricsReader } from './opentelemetry-metrics.ts';
import { opentelemetryOptions } from './opentelemetry-options.ts';
import type { ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';
import { WireError } from './wire-reader.ts';

const PATH = '/opentelemetry/v1/metrics';

function receive(head: RequestHead): Reception {
  const [type = ''] = head.header('content-type').split(';', 1);
  if (type.trim().toLowerCase() !== JSON_TYPE) return receiveBody(head, { wording: inProtobuf });
  if (head.header('x-amz-firehose-protocol-version') === '') {
    return receiveBody(head, { parameters: { format: 'json' }, wording: inJson });
  }
  const wording = forFirehose(head.header('x-amz-firehose-request-id'), head.receivedMs);
  return receiveBody(head, { parameters: { format: 'firehose' }, wording });
}

function parse(
  bytes: Uint8Array,
  { parameters, options }: ParseRequest<Values<typeof opentelemetryOptions>>,
  sink: SeriesSink,
): ParseFailure {
  try {
    new MetricsReader(protobufOf(bytes, parameters.format), options, sink).run();
  } catch (error) {
    const isBad = error instanceof WireError || error instanceof OtlpJsonError || error instanceof FieldError;
    if (!isBad) throw error;
    return `cannot parse the body: ${error.message}; send an ExportMetricsServiceRequest as protobuf, or as JSON with "Content-Type: application/json"`;
  }
  return undefined;
}

function protobufOf(bytes: Uint8Array, format: string | undefined): Uint8Array {
  // No bytes are no metrics, in every format.
  if (bytes.byteLength === 0) return bytes;
  if (format === 'json') return requestOfJson(bytes);
  return format === 'firehose' ? requestOfFirehose(bytes) : bytes;
}

export const opentelemetry: Protocol = {
  name: 'opentelemetry',
  summary: 'Metrics of OpenTelemetry (OTLP) over HTTP, as protobuf or JSON, and over gRPC.',
  routes: [PATH, '/opentelemetry/api/v1/push', '/v1/metrics'].map((path) => ({ path, counterPath: PATH })),
  grpc: {
    addressOption: 'opentelemetryGRPCListenAddr',
    tlsCertOption: 'opentelemetryGRPCListenAddr.tlsCertFile',
    tlsKeyOption: 'opentelemetryGRPCListenAddr.tlsKeyFile',
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    response: exportResponse,
  },
  options: opentelemetryOptions,
  sizeOption: 'opentelemetry.maxRequestSize',
  accepted: { status: 200 },
  receive,
  parse,
};
