/**
 * The queue of one destination: blocks in, the same blocks out in order, leased to senders, across a clean restart.
 * Main thread only. The columns that it keeps are the destination's part of the ledger.
 */

import { rename, unlink } from 'node:fs/promises';
import { DestinationLedger } from '../ledger/ledger.ts';
import type { Block } from '../model/block.ts';
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import type { BlockSource, Lease, Outcome } from '../model/delivery.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { readSpill, type StoredSegment, syncDirectory, writeSpill } from './file/spill.ts';
import { type Entry, MemoryQueue } from './memory.ts';

export interface QueueConfig {
  /** Where unsent blocks wait for the next start. */
  readonly directory: string;
  readonly bytesMax: number;
}

export class DestinationQueue implements BlockSource {
  readonly ledger = new DestinationLedger();
  readonly #config: QueueConfig;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #memory: MemoryQueue;
  readonly #waiting: ((lease: Lease | undefined) => void)[] = [];
  #closed = false;
  /** Segments of the last stop that still have blocks in the queue, by path. */
  readonly #segments = new Map<string, { left: number; damaged: boolean }>();
  #nextSeq = 1;
  #writtenBytes = 0;
  #readBytes = 0;
  readonly #dropped = { blocks: 0, bytes: 0 };

  constructor(config: QueueConfig, clock: Clock, log: Logger) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#memory = new MemoryQueue(config.bytesMax);
  }

  /** Takes up what the last stop left, ahead of everything new. Call it once, before the first `push`. */
  async open(): Promise<void> {
    for (const segment of await readSpill(this.#config.directory)) {
      const damaged = this.#countDamage(segment);
      const last = segment.records.at(-1)?.header.seq ?? 0;
      this.#nextSeq = Math.max(this.#nextSeq, last + 1);
      if (segment.records.length === 0) await discard(segment.path, damaged);
      else this.#segments.set(segment.path, { left: segment.records.length, damaged });
      for (const { header, payload } of segment.records) {
        this.#readBytes += payload.byteLength;
        this.ledger.recover(header.counts);
        const block: Block = {
          seq: header.seq,
          codec: header.codec,
          bytes: payload,
          rawLength: header.rawLength,
          counts: header.counts,
          slots: header.slots,
          bornMs: this.#clock.monotonicMs() - Math.max(0, this.#clock.nowMs() - header.writtenAtMs),
        };
        this.#memory.push({ block, leased: false, release: () => this.#recordEnded(segment.path) });
      }
      if (segment.records.length > 0) {
        this.#log.info('taking up unsent blocks of the last run', {
          file: segment.path,
          blocks: segment.records.length,
        });
      }
    }
  }

  /** Tells whether the segment is damaged; what the headers of damaged records still say is counted. */
  #countDamage(segment: StoredSegment): boolean {
    for (const header of segment.damaged) {
      this.ledger.recover(header.counts);
      this.ledger.end('damaged', header.counts);
    }
    const damaged = segment.damaged.length > 0 || segment.lostBytes > 0;
    if (damaged) {
      this.#log.error('a queue file is damaged; its whole records are sent, then it is set aside as *.bad', {
        file: segment.path,
        damagedRecords: segment.damaged.length,
        lostBytes: segment.lostBytes,
      });
    }
    return damaged;
  }

  #recordEnded(file: string): void {
    const segment = this.#segments.get(file);
    if (segment === undefined || --segment.left > 0) return;
    this.#segments.delete(file);
    discard(file, segment.damaged)
      .then(() => syncDirectory(this.#config.directory))
      .catch((error) => {
        this.#log.warn(
          'cannot remove a queue file whose blocks were all sent; they may be sent again after a restart',
          {
            file,
            error: messageOf(error),
          },
        );
      });
  }

  /** Where unsent blocks wait for the next start. */
  get directory(): string {
    return this.#config.directory;
  }

  get full(): boolean {
    return this.#memory.full;
  }

  get pendingBytes(): number {
    return this.#memory.bytes;
  }

  get pendingBlocks(): number {
    return this.#memory.length;
  }

  /** What the unfinished blocks hold. */
  get pendingCounts(): Counts {
    const sum = { ...noCounts };
    for (const { block } of this.#memory.entries) addCounts(sum, block.counts);
    return sum;
  }

  /** Bytes written to and read from queue files since the start, for `vm_persistentqueue_*`. */
  get fileBytes(): { written: number; read: number } {
    return { written: this.#writtenBytes, read: this.#readBytes };
  }

  /** Blocks, and their compressed bytes, that came to a full queue. */
  get dropped(): Readonly<{ blocks: number; bytes: number }> {
    return this.#dropped;
  }

  /** Age in milliseconds of the oldest block that is not finished; 0 when there is none. */
  get oldestAgeMs(): number {
    const first = this.#memory.entries[0];
    return first === undefined ? 0 : this.#clock.monotonicMs() - first.block.bornMs;
  }

  /**
   * Adds a block at the end. Whether a full queue takes it is decided before the block exists (`full`), or by the
   * caller, who then calls `drop`.
   */
  push(block: Block): void {
    this.ledger.route(block.counts);
    this.#memory.push({ block, leased: false, release: () => {} });
    this.#serve();
  }

  /** Counts a block that this destination does not get because its queue is full. */
  drop(block: Block): void {
    this.#dropped.blocks++;
    this.#dropped.bytes += block.bytes.byteLength;
    this.ledger.route(block.counts);
    this.ledger.end('dropped_queue_full', block.counts);
  }

  lease(): Promise<Lease | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const entry = this.#memory.lease();
    if (entry !== undefined) return Promise.resolve(this.#leaseOf(entry));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leaseOf(entry: Entry): Lease {
    let open = true;
    const once = (act: () => void) => () => {
      if (!open) return;
      open = false;
      act();
      this.#serve();
    };
    return {
      block: entry.block,
      end: (outcome: Outcome) => once(() => this.#end(entry, outcome))(),
      putBack: once(() => {
        entry.leased = false;
      }),
    };
  }

  #end(entry: Entry, outcome: Outcome): void {
    this.#memory.remove(entry);
    this.ledger.end(outcome.kind, entry.block.counts);
    entry.release();
  }

  #serve(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const entry = this.#memory.lease();
      if (entry === undefined) return;
      this.#waiting.shift()!(this.#leaseOf(entry));
    }
  }

  /** No more leases; senders that wait get undefined. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  /** Writes every unfinished block to disk for the next start. Call it after `close`, with no lease left out. */
  async spill(): Promise<number> {
    const blocks = this.#memory.entries.map((entry) => entry.block);
    const old = [...this.#segments];
    if (blocks.length === 0) return 0;
    await writeSpill(this.#config.directory, blocks, this.#nextSeq, this.#clock);
    this.#writtenBytes += this.#memory.bytes;
    // Only now are the blocks of the older files safe elsewhere. A crash in between sends them twice, never not at all.
    for (const [file, { damaged }] of old) await discard(file, damaged);
    await syncDirectory(this.#config.directory);
    return blocks.length;
  }
}

/** A segment that is done with goes; a damaged one is set aside for a person to look at. */
async function discard(file: string, damaged: boolean): Promise<void> {
  if (damaged) await rename(file, `${file}.bad`);
  else await unlink(file);
}
