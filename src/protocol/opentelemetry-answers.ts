/**
 * Answers of OTLP: an ExportMetricsServiceResponse that tells how many data points were left out, or a google.rpc.Status,
 * in the encoding of the request. https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
import protobuf from 'protobufjs/minimal.js';
import type { ParseNotes } from '../model/body.ts';
import type { Answer, Wording } from './protocol.ts';
import { encodeRpcStatus, rpcCodeOf } from './rpc-status.ts';

const PROTOBUF_TYPE = 'application/x-protobuf';
export const JSON_TYPE = 'application/json';

/** What the client is told of the data points that were left out; of none, what was odd about those that were taken. */
function reasonOf({ rowsInvalid, examples }: ParseNotes): string {
  const what = rowsInvalid > 0 ? 'data points that make no sense' : 'parts of data points that make no sense';
  return `left out ${what}: ${examples.join('; ')}`;
}

function hasNothingToTell(notes: ParseNotes | undefined): notes is undefined {
  return notes === undefined || (notes.rowsInvalid === 0 && notes.examples.length === 0);
}

/** An ExportMetricsServiceResponse; empty when nothing was left out. */
export function exportResponse(notes: ParseNotes | undefined): Uint8Array {
  if (hasNothingToTell(notes)) return new Uint8Array();
  const writer = protobuf.Writer.create().uint32(0x0a).fork();
  return writer.uint32(0x08).int64(notes.rowsInvalid).uint32(0x12).string(reasonOf(notes)).ldelim().finish();
}

const json = (status: number, value: unknown): Answer => ({
  status,
  body: JSON.stringify(value),
  contentType: JSON_TYPE,
});

export const inProtobuf: Wording = {
  accepted: (notes) => ({ status: 200, body: exportResponse(notes), contentType: PROTOBUF_TYPE }),
  refused: (status, error) => ({
    status,
    body: encodeRpcStatus(rpcCodeOf(status), error),
    contentType: PROTOBUF_TYPE,
  }),
};

export const inJson: Wording = {
  accepted: (notes) => {
    if (hasNothingToTell(notes)) return json(200, {});
    const rejectedDataPoints = String(notes.rowsInvalid);
    return json(200, { partialSuccess: { rejectedDataPoints, errorMessage: reasonOf(notes) } });
  },
  refused: (status, error) => json(status, { code: rpcCodeOf(status), message: error }),
};

/** https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html */
export function forFirehose(requestId: string, timestamp: number): Wording {
  return {
    accepted: () => json(200, { requestId, timestamp }),
    refused: (status, error) => json(status, { requestId, timestamp, errorMessage: error }),
  };
}
