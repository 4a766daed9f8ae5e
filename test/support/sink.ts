/**
 * A destination that records: decodes every remote-write request with libraries that the daemon does not use on its
 * hot path and keeps every sample's bit pattern. As a tee it also forwards the request to a real storage.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { atEnd } from './cleanup.ts';
import { decodeWriteRequest, decompressBody, type WriteRequest } from './remote-write.ts';
import { SampleStore } from './samples.ts';

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly decoded: WriteRequest;
}

export interface SinkOptions {
  readonly port?: number;
  /** Forward what was recorded to this URL and answer as it does. */
  readonly forwardTo?: string;
  /** The status for a request (after decoding); a request that is not answered by 2xx is not counted in `samples`. */
  readonly respond?: (request: ReceivedRequest, nth: number) => number | Promise<number>;
}

export interface Sink {
  readonly url: string;
  readonly port: number;
  readonly requests: ReceivedRequest[];
  /** Samples of all requests that were answered by 2xx. */
  readonly samples: SampleStore;
  close(): Promise<void>;
}

async function forward(url: string, { headers, body }: ReceivedRequest): Promise<number> {
  const passed = Object.entries(headers).filter(
    ([name]) => !['host', 'connection', 'content-length'].includes(name),
  );
  const response = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: passed.map(([name, value]): [string, string] => [name, String(value)]),
  });
  await response.arrayBuffer();
  return response.status;
}

export async function startSink(t: TestContext, options: SinkOptions = {}): Promise<Sink> {
  const requests: ReceivedRequest[] = [];
  const samples = new SampleStore();

  const statusOf = async (request: ReceivedRequest): Promise<number> => {
    if (options.forwardTo !== undefined) return forward(options.forwardTo, request);
    return (await options.respond?.(request, requests.length)) ?? 204;
  };

  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    try {
      const decoded = decodeWriteRequest(decompressBody(body, request.headers['content-encoding']));
      const received = { path: request.url!, headers: request.headers, body, decoded };
      requests.push(received);
      const status = await statusOf(received);
      if (status >= 200 && status < 300) samples.addAll(decoded.series);
      response.writeHead(status).end();
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const close = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  atEnd(t, close);
  return { url: `http://127.0.0.1:${port}/api/v1/write`, port, requests, samples, close };
}
