/** The generator process: encodes the workload once, then sends it as often as it is told. */
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from './calls.ts';
import { type Account, addAccount, addRequest, emptyAccount } from './checksum.ts';
import { Connection } from './connection.ts';
import { bodyFormats, type FormatName } from './formats.ts';
import type { WorkloadSpec } from './workload.ts';

export interface WorkloadSummary {
  bodies: number;
  samples: number;
  /** Of the bodies as they are sent. */
  bytes: number;
}

export interface SendSpec {
  readonly port: number;
  readonly requests: number;
  readonly connections: number;
  /** Requests a second over all connections; unlimited if it is missing. */
  readonly requestsPerSecond?: number;
}

export interface SendSummary {
  /** What the relay took with a 2xx. */
  account: Account;
  wallMs: number;
  /** 429 and 503 answers; the request was sent again. */
  refused: number;
  /** From the time at which the request was due (so a stall counts for all that had to wait) to the answer. */
  latencyMs: { p50: number; p99: number; max: number };
}

export interface ImportSpec {
  readonly port: number;
  /** Of the body at least: the bodies that were prepared follow each other. */
  readonly bytes: number;
}

interface PreparedBody {
  readonly body: Uint8Array;
  readonly request: Uint8Array;
  readonly account: Account;
}

let prepared: PreparedBody[] = [];
let preparedFormat: FormatName = 'remote-write';
let next = 0;

function headOf(name: FormatName, framing: string): Buffer {
  const { path, headers } = bodyFormats[name];
  const head = [`POST ${path} HTTP/1.1`, 'Host: relay', 'User-Agent: sluice-bench', ...headers, framing];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n`);
}

function prepare({ workload, format }: { workload: WorkloadSpec; format: FormatName }): WorkloadSummary {
  const summary = { bodies: 0, samples: 0, bytes: 0 };
  next = 0;
  preparedFormat = format;
  prepared = bodyFormats[format].make(workload).map(({ body, message, samples }) => {
    const account = emptyAccount();
    addRequest(account, message);
    summary.bodies++;
    summary.samples += samples;
    summary.bytes += body.length;
    const request = Buffer.concat([headOf(format, `Content-Length: ${body.length}`), body]);
    return { body, request, account };
  });
  return summary;
}

async function sendOne(connection: Connection, body: PreparedBody): Promise<number> {
  for (let refused = 0; ; refused++) {
    const status = await connection.send(body.request);
    if (status >= 200 && status < 300) return refused;
    if (status !== 429 && status !== 503) throw new Error(`the relay answered ${status}`);
    await delay(20);
  }
}

async function send(spec: SendSpec): Promise<SendSummary> {
  const account = emptyAccount();
  const latencies = new Float64Array(spec.requests);
  const startMs = performance.now();
  let refused = 0;
  let started = 0;
  const runConnection = async () => {
    const connection = new Connection(spec.port);
    while (started < spec.requests) {
      const nth = started++;
      const body = prepared[next++ % prepared.length]!;
      let dueMs = performance.now();
      if (spec.requestsPerSecond !== undefined) {
        dueMs = startMs + (nth * 1000) / spec.requestsPerSecond;
        const early = dueMs - performance.now();
        if (early > 1) await delay(early);
      }
      refused += await sendOne(connection, body);
      latencies[nth] = performance.now() - dueMs;
      addAccount(account, body.account);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: spec.connections }, runConnection));
  const wallMs = performance.now() - startMs;
  latencies.sort();
  const quantile = (q: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))]!;
  return {
    account,
    wallMs,
    refused,
    latencyMs: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
  };
}

/** One request, as long as is asked for, as fast as the relay reads it. */
async function sendImport({ port, bytes }: ImportSpec): Promise<SendSummary> {
  const account = emptyAccount();
  const startMs = performance.now();
  const connection = new Connection(port);
  let sent = 0;
  const status = await connection.stream(headOf(preparedFormat, 'Transfer-Encoding: chunked'), () => {
    if (sent >= bytes) return undefined;
    const { body, account: more } = prepared[next++ % prepared.length]!;
    sent += body.length;
    addAccount(account, more);
    return body;
  });
  connection.close();
  if (status < 200 || status >= 300) throw new Error(`the relay answered ${status}`);
  const wallMs = performance.now() - startMs;
  return { account, wallMs, refused: 0, latencyMs: { p50: wallMs, p99: wallMs, max: wallMs } };
}

const methods = { prepare, send, sendImport };
export type GeneratorMethods = typeof methods;
serve(methods);
