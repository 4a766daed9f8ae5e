/** Codes of gRPC and google.rpc.Status. https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
export const rpcCodes = {
  ok: 0,
  cancelled: 1,
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
