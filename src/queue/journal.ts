/**
 * The journal of admitted requests, for `-remoteWrite.ack=written` and `synced`: a request is in it before its answer goes
 * out, and stays until everything made of it was delivered, refused for good, or is in a queue file. In good times nothing
 * of it is ever read; after a crash what is left is taken through the engine again. Main thread only.
 *
 * A record's payload is the request as the client sent it (once, however many destinations there are):
 *
 *     length of the head u16 | head, JSON: { encoding, protocol, extraLabels, tenant, arrival } | body
 */
import type { Arrival, BodyEncoding, Counts, Label, Tenant } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Fs } from './file/fs.ts';
import { type LogRecord, SegmentLog } from './file/log.ts';

/** Small, so that space comes back soon; what is done with in the last segment counts until the next one is begun. */
const SEGMENT_BYTES_MAX = 16 * 1024 * 1024;
const SEGMENTS_MIN = 4;
const LOG_EVERY_MS = 5_000;

export interface JournalConfig {
  readonly directory: string;
  /** More than this many bytes are not kept: `full`. */
  readonly bytesMax: number;
  /** Whether a request must be on the disk before it is acknowledged, or with the operating system only. */
  readonly synced: boolean;
}

export interface JournalPorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How the bytes of a request are to be read; requests with the same format share the object. */
export interface JournalFormat {
  readonly encoding: BodyEncoding;
  readonly protocol: string;
  readonly extraLabels: readonly Label[];
  readonly tenant?: Tenant | undefined;
  readonly arrival?: Arrival | undefined;
}

export interface JournalEntry {
  /** The engine's number: later requests have larger ones. */
  readonly id: number;
  readonly format: JournalFormat;
  readonly bytes: Uint8Array;
  readonly counts: Readonly<Counts>;
  /** Wall time; now if absent. */
  readonly arrivedMs?: number;
}

export interface ReplayedEntry {
  readonly seq: number;
  readonly format: JournalFormat;
  readonly bytes: Uint8Array;
  readonly counts: Readonly<Counts>;
  /** When it came to the earlier run, in wall time. */
  readonly arrivedMs: number;
}

export class Journal {
  readonly #config: JournalConfig;
  readonly #ports: JournalPorts;
  readonly #log: SegmentLog;
  /** Requests in the journal by the engine's number, in order. */
  #kept: { readonly id: number; readonly seq: number }[] = [];
  #heads = new WeakMap<JournalFormat, Buffer>();
  /** Requests that are being written. */
  readonly #pending = new Set<number>();
  /** The last record that was given back. */
  #releasedSeq = 0;
  #isCheckpointing = false;
  #failure: string | undefined;

  private constructor(config: JournalConfig, ports: JournalPorts, log: SegmentLog) {
    this.#config = config;
    this.#ports = ports;
    this.#log = log;
  }

  static async open(config: JournalConfig, ports: JournalPorts): Promise<Journal> {
    const { directory, bytesMax } = config;
    const segmentBytes = Math.min(SEGMENT_BYTES_MAX, bytesMax / SEGMENTS_MIN);
    const { log, contents } = await SegmentLog.open({ directory, segmentBytes }, ports);
    if (contents.records > 0) {
      ports.log.info('the last run ended without a stop; its unsent requests are taken up from the journal', {
        requests: contents.records,
        samples: contents.counts.samples,
        bytes: contents.bytes,
      });
    }
    return new Journal(config, ports, log);
  }

  get full(): boolean {
    return this.#log.fileBytes >= this.#config.bytesMax;
  }

  /** Why the last request could not be written; undefined when it could. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Bytes of the files. */
  get bytes(): number {
    return this.#log.fileBytes;
  }

  get requests(): number {
    return this.#kept.length;
  }

  get written(): Readonly<{ records: number; bytes: number }> {
    return this.#log.written;
  }

  get damage(): Readonly<{ records: number; bytes: number }> {
    return this.#log.damage;
  }

  /** The next request of an earlier run; undefined when there is none left. Call `replayed` once it has a number. */
  async nextReplay(): Promise<ReplayedEntry | undefined> {
    for (;;) {
      const record = await this.#log.next();
      if (record === undefined) return undefined;
      const entry = parse(record);
      if (entry !== undefined) return entry;
      this.#log.done(record.header.seq);
    }
  }

  /** The engine has taken the request up under this number. */
  replayed(seq: number, id: number): void {
    this.#kept.push({ id, seq });
  }

  /** Resolves when the request is as safe as promised; rejects when it is not. `bytes` must stay until then. */
  async append({ id, format, bytes, counts, arrivedMs }: JournalEntry): Promise<void> {
    const payload = [this.#headOf(format), bytes];
    const header = {
      type: 'body',
      counts,
      rawLength: 0,
      slots: 0,
      bornAtMs: arrivedMs ?? this.#ports.clock.nowMs(),
    } as const;
    this.#pending.add(id);
    try {
      const seq = await this.#log.append([{ header, payload }], this.#config.synced);
      this.#kept.push({ id, seq });
      this.#pending.delete(id);
      this.#failure = undefined;
    } catch (error) {
      this.#pending.delete(id);
      this.#failure = messageOf(error);
      this.#ports.log
        .limited('journal', LOG_EVERY_MS)
        .error('cannot write the journal; requests are refused until it can be written', {
          directory: this.#config.directory,
          error: this.#failure,
        });
      throw error;
    }
  }

  #headOf(format: JournalFormat): Buffer {
    const known = this.#heads.get(format);
    if (known !== undefined) return known;
    const { encoding, protocol, extraLabels, tenant, arrival } = format;
    const json = Buffer.from(JSON.stringify({ encoding, protocol, extraLabels, tenant, arrival }));
    const head = Buffer.alloc(2 + json.byteLength);
    head.writeUInt16LE(json.byteLength);
    json.copy(head, 2);
    this.#heads.set(format, head);
    return head;
  }

  /** Everything made of the requests before `id` is safe elsewhere: they are given back. */
  release(id: number): void {
    const count = this.#kept.findIndex((kept) => kept.id >= id);
    const released = this.#kept.splice(0, count < 0 ? this.#kept.length : count);
    for (const { seq } of released) {
      this.#log.done(seq);
      this.#releasedSeq = seq;
    }
    void this.#checkpoint();
  }

  /** The last record of the requests up to `id`; undefined while one of them is being written. */
  seqUpTo(id: number): number | undefined {
    for (const pending of this.#pending) if (pending <= id) return undefined;
    return this.#kept.findLast((kept) => kept.id <= id)?.seq ?? this.#releasedSeq;
  }

  async #checkpoint(): Promise<void> {
    if (this.#isCheckpointing) return;
    this.#isCheckpointing = true;
    try {
      await this.#log.checkpoint();
    } catch (error) {
      this.#ports.log
        .limited('journal checkpoint', LOG_EVERY_MS)
        .warn('cannot note in the journal what was sent; after a crash it would be sent again', {
          error: messageOf(error),
        });
    }
    this.#isCheckpointing = false;
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function parse({ header, payload }: LogRecord): ReplayedEntry | undefined {
  if (payload === undefined) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const headEnd = 2 + bytes.readUInt16LE(0);
  const format: JournalFormat = JSON.parse(bytes.toString('utf8', 2, headEnd));
  const { seq, counts, bornAtMs: arrivedMs } = header;
  return { seq, format, bytes: bytes.subarray(headEnd), counts, arrivedMs };
}
