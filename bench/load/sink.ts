/**
 * The sink process: stands for the storages. While the relay is measured it only keeps the compressed bodies (in a
 * file for each destination) and answers 204; `verify.ts` decodes them afterwards.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from './calls.ts';
import type { Kept } from './verify.ts';

interface Destination {
  readonly file: string;
  readonly fd: number;
  readonly server: Server;
  readonly offsets: number[];
  readonly lengths: number[];
  bytes: number;
}

let destinations: Destination[] = [];
let lastMs = 0;
/** These answer every request with 503. */
let down = new Set<number>();

function keep(destination: Destination, body: Buffer): void {
  writeSync(destination.fd, body);
  destination.offsets.push(destination.bytes);
  destination.lengths.push(body.length);
  destination.bytes += body.length;
}

function answer(index: number, request: IncomingMessage, response: ServerResponse): void {
  const destination = destinations[index]!;
  const chunks: Buffer[] = [];
  lastMs = performance.now();
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (down.has(index)) {
      response.writeHead(503).end();
      return;
    }
    keep(destination, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    lastMs = performance.now();
    response.writeHead(204).end();
  });
}

async function open(params: { directory: string; count: number }): Promise<number[]> {
  destinations = [];
  for (let index = 0; index < params.count; index++) {
    const file = join(params.directory, `sink-${index}`);
    const server = createServer({ keepAliveTimeout: 120_000 });
    const destination = { file, fd: openSync(file, 'w'), server, offsets: [], lengths: [], bytes: 0 };
    server.on('request', (request, response) => answer(index, request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    destinations.push(destination);
  }
  lastMs = performance.now();
  return destinations.map(({ server }) => (server.address() as AddressInfo).port);
}

/** Resolves when nothing has come in for `quietMs`: with how long ago the last body came. */
async function quiet({ quietMs }: { quietMs: number }): Promise<{ sinceLastMs: number }> {
  for (;;) {
    const left = lastMs + quietMs - performance.now();
    if (left <= 0) return { sinceLastMs: performance.now() - lastMs };
    await delay(left);
  }
}

/** These storages are down from now on, the others are up. */
function setDown(indexes: readonly number[]): void {
  down = new Set(indexes);
  lastMs = performance.now();
}

/** What each destination kept, for `verify.ts`. */
const kept = (): Kept[] => destinations.map(({ file, offsets, lengths }) => ({ file, offsets, lengths }));

async function close(): Promise<void> {
  for (const { server, fd, file } of destinations) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    closeSync(fd);
    rmSync(file);
  }
  destinations = [];
}

const methods = { open, quiet, setDown, kept, close };
export type SinkMethods = typeof methods;
serve(methods);
