/** Codes of gRPC and messages of google.rpc. https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
import protobuf from 'protobufjs/minimal.js';

export const rpcCodes = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The code for a status of HTTP. Clients of OpenTelemetry send again what is unavailable, and nothing else. */
export function rpcCodeOf(status: number): number {
  if (status === 401) return rpcCodes.unauthenticated;
  if (status === 413) return rpcCodes.resourceExhausted;
  if (status === 429 || status === 503) return rpcCodes.unavailable;
  return status >= 500 ? rpcCodes.internal : rpcCodes.invalidArgument;
}

/** A google.rpc.Status; with a google.rpc.RetryInfo among its details if the client is told when to come again. */
export function encodeRpcStatus(code: number, message: string, retryAfterS?: number): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x08).int32(code).uint32(0x12).string(message);
  if (retryAfterS === undefined) return writer.finish();
  writer.uint32(0x1a).fork().uint32(0x0a).string('type.googleapis.com/google.rpc.RetryInfo');
  // The value of the detail, its delay, and the seconds of that.
  return writer
    .uint32(0x12)
    .fork()
    .uint32(0x0a)
    .fork()
    .uint32(0x08)
    .int64(retryAfterS)
    .ldelim()
    .ldelim()
    .ldelim()
    .finish();
}
