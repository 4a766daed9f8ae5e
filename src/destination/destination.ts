/**
 * The contract of a destination kind: where blocks can go. A kind gets blocks as they are in the queue and answers with
 * a status, like HTTP; when to send, retry and give up is the sender's business.
 */
import type { OptionTable } from '../config/option.ts';
import type { Block, Codec } from '../model/block.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Meter } from '../util/meter.ts';

/** What a transport needs to know of a block. */
export type WireBlock = Pick<Block, 'codec' | 'bytes' | 'rawLength'>;

export interface Response {
  /** An HTTP status; kinds that are not HTTP answer 204 when the block is safe where it belongs. */
  readonly status: number;
  /** The `Retry-After` header as it came. */
  readonly retryAfter?: string | undefined;
  /** The peer's words when it refused: at most 4 KiB, without control characters and known secrets. */
  readonly text: string;
  /** How much of the block it has taken, where the protocol has it say so. */
  readonly written?: { readonly samples: number; readonly histograms: number; readonly exemplars: number };
  /** What was sent, where that is not the block as it is. */
  readonly sentBytes?: number;
}

export interface HttpResponse extends Response {
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Transport {
  /**
   * One attempt. Rejects when no answer came (network, time-out, credentials or files that cannot be read) and when
   * `signal` aborts; whether the peer has taken the block is then unknown.
   */
  send(block: WireBlock, signal: AbortSignal): Promise<Response>;
  /** Whether no attempt reads these bytes any more, those that were broken off included; absent: nobody knows. */
  isDoneWith?(bytes: Uint8Array): boolean;
  /** Ends open connections and files. Attempts that are under way reject. */
  close(): Promise<void>;
}

/** A POST of one body with the destination's own headers, credentials, TLS and proxy. Implemented by `deliver/http.ts`. */
export interface HttpExchange {
  post(headers: readonly Header[], body: Uint8Array, signal: AbortSignal): Promise<HttpResponse>;
  /** Whether every write of these bytes to a socket has ended. */
  isDoneWith(body: Uint8Array): boolean;
  close(): Promise<void>;
}

export type Header = readonly [name: string, value: string];

export interface DestinationConfig {
  /** As configured, with credentials: never logged. */
  readonly url: string;
  /** The name for people: `1:secret-url`, or the URL where showing it is allowed. */
  readonly shownUrl: string;
  /** Values of the kind's own options, by flag name. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface DestinationPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Opens the HTTP client of this destination; kinds that are not HTTP do not call it. */
  http(): HttpExchange;
}

export interface DestinationKind {
  readonly name: string;
  /** One sentence for `-help` and the docs. */
  readonly summary: string;
  readonly options: OptionTable;
  accepts(url: string): boolean;
  /** What is wrong with the URL; undefined when nothing is. */
  check(url: string): { readonly message: string; readonly hint: string } | undefined;
  /** The codec that its blocks start with, when nothing is forced. */
  readonly codec: Codec;
  open(config: DestinationConfig, ports: DestinationPorts): Transport;
}
