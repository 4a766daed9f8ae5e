/**
 * One call of a unary gRPC method, by a stream of HTTP/2. The request and the response are messages with five bytes in
 * front: whether it is compressed, and its length. How the call went is in the trailers.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { BodyEncoding, Counts, ParseNotes } from '../model/body.ts';
import type { GrpcMethod } from '../protocol/protocol.ts';
import { encodeRpcStatus, rpcCodeOf, rpcCodes } from '../protocol/rpc-status.ts';
import type { EncodedBytes, Exchange, InsertTarget, RefusalMore } from './insert.ts';

const PREFIX_BYTES = 5;
/** Clients bound the size of headers, some to 8 KiB; every byte of a message may take three. */
const MESSAGE_LENGTH_MAX = 1_000;

const encodings: Readonly<Record<string, BodyEncoding>> = { identity: 'plain', gzip: 'gzip' };
const HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,gzip',
};

export interface CallSettings {
  readonly method: GrpcMethod;
  readonly target: InsertTarget;
  readonly headers: IncomingHttpHeaders;
  readonly client: string;
  /** The client sent too slowly. */
  onSlow(): void;
}

export class GrpcCall implements Exchange {
  readonly frameBytes = PREFIX_BYTES;
  readonly isStrict = false;
  readonly source: ServerHttp2Stream;
  readonly #settings: CallSettings;

  constructor(stream: ServerHttp2Stream, settings: CallSettings) {
    this.source = stream;
    this.#settings = settings;
  }

  get client(): string {
    return this.#settings.client;
  }

  bodyOf(bytes: Uint8Array): EncodedBytes | string {
    if (bytes.byteLength < PREFIX_BYTES) return `${UNREADABLE}: there is none`;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    const rest = bytes.byteLength - PREFIX_BYTES;
    if (length > rest) return `${UNREADABLE}: it ends after ${rest} of ${length} bytes`;
    if (length < rest) return `${UNREADABLE}: something follows it, and the method takes one message`;
    const isCompressed = bytes[0] === 1;
    if (!isCompressed && bytes[0] !== 0)
      return `${UNREADABLE}: its first byte is ${bytes[0]}, neither 0 nor 1`;
    const encoding = isCompressed ? encodingOf(this.#settings.headers) : 'plain';
    if (encoding === undefined || (isCompressed && encoding === 'plain')) {
      return `${UNREADABLE}: it is compressed, and grpc-encoding does not say how; use gzip or none`;
    }
    return { bytes: bytes.subarray(PREFIX_BYTES), encoding };
  }

  accept(_taken: Readonly<Counts>, notes?: ParseNotes): void {
    const stream = this.source;
    if (!canAnswer(stream)) return;
    stream.respond(HEADERS, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      if (!stream.destroyed) stream.sendTrailers({ 'grpc-status': String(rpcCodes.ok) });
    });
    const message = this.#settings.method.response(notes);
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.byteLength, 1);
    stream.end(Buffer.concat([prefix, message]));
  }

  refuse(status: number, error: string, { retryAfterS }: RefusalMore = {}): void {
    this.#settings.target.noteRefusal(status, error, this.#settings.method.path, this.client);
    endCall(this.source, rpcCodeOf(status), error, retryAfterS);
  }

  onClose(listener: () => void): void {
    this.source.on('close', listener);
  }

  tooSlow(): void {
    this.#settings.onSlow();
  }
}

const UNREADABLE = 'cannot read the message';

/** Undefined if it is none that we know. */
export function encodingOf(headers: IncomingHttpHeaders): BodyEncoding | undefined {
  const name = String(headers['grpc-encoding'] ?? 'identity');
  return Object.hasOwn(encodings, name) ? encodings[name] : undefined;
}

function canAnswer(stream: ServerHttp2Stream): boolean {
  return !stream.destroyed && !stream.closed && !stream.headersSent;
}

/** Ends a call without a message. What is still on its way from the client is not read. */
export function endCall(stream: ServerHttp2Stream, code: number, error: string, retryAfterS?: number): void {
  if (!canAnswer(stream)) return;
  const details = retryAfterS === undefined ? undefined : encodeRpcStatus(code, error, retryAfterS);
  const more = details && { 'grpc-status-details-bin': Buffer.from(details).toString('base64') };
  const status = { 'grpc-status': String(code), 'grpc-message': percentEncoded(error), ...more };
  stream.respond({ ...HEADERS, ...status }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Printable ASCII as it is, every other byte and `%` as `%XX`. */
export function percentEncoded(text: string): string {
  const bytes = Buffer.from(text.slice(0, MESSAGE_LENGTH_MAX));
  return [...bytes]
    .map((byte) => {
      if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) return String.fromCharCode(byte);
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** Timers wrap around beyond 2^31 ms. */
const TIMEOUT_MS_MAX = 24 * 3_600_000;

/** Milliseconds of a `grpc-timeout`; undefined for none, `bad` for what is not of its form. */
export function timeoutOf(text: string | undefined): number | undefined | 'bad' {
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (match === null) return 'bad';
  return Math.min(TIMEOUT_MS_MAX, Number(match[1]) * UNIT_MS[match[2]!]!);
}
