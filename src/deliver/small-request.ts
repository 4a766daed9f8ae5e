/** Requests for credentials: small, rare, bounded in time and size, on a connection of their own, never redirected. */
import type { Clock } from '../util/clock.ts';
import { Client } from './undici.ts';

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 256 * 1024;

export interface SmallRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface SmallReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

export async function requestSmall(call: SmallRequest, clock: Clock): Promise<SmallReply> {
  const controller = new AbortController();
  const cancel = clock.after(TIMEOUT_MS, () => controller.abort(new Error('timed out after 10 s')));
  let client: Client | undefined;
  try {
    const { origin, pathname, search } = new URL(call.url);
    client = new Client(origin);
    const reply = await client.request({
      path: pathname + search,
      method: call.method,
      headers: call.headers ?? {},
      body: call.body ?? null,
      signal: controller.signal,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > BYTES_MAX) throw new Error(`the answer is larger than ${BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return {
      status: reply.statusCode,
      contentType: String(reply.headers['content-type'] ?? ''),
      text: Buffer.concat(chunks).toString('utf8'),
    };
  } finally {
    cancel();
    void client?.destroy();
  }
}
