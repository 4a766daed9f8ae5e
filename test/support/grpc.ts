/** A unary call of gRPC by Node's own client of HTTP/2. */
import { once } from 'node:events';
import { connect, type OutgoingHttpHeaders } from 'node:http2';

/** Returns the code of the answer. A header with several values is sent several times. */
export async function grpcCall(
  port: number,
  path: string,
  message: Uint8Array,
  headers: OutgoingHttpHeaders = {},
): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.byteLength, 1);
    stream.end(Buffer.concat([prefix, message]));
    stream.resume();
    let code: unknown;
    const note = (found: Record<string, unknown>) => {
      code = found['grpc-status'] ?? code;
    };
    stream.on('response', note).on('trailers', note);
    await once(stream, 'close');
    return Number(code);
  } finally {
    session.destroy();
  }
}
