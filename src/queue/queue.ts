/**
 * The queue of one destination: blocks in, the same blocks out in order, leased to senders, across restarts. Main thread
 * only. The columns that it keeps are the destination's part of the ledger.
 *
 *     window (in memory, leased from) │ unloaded (in the file only) │ tail (in memory, on its way to the file)   fresh
 *
 * While a destination keeps up, there is the window alone and no file is touched. When memory is full or a block has
 * waited for too long, *everything* that waits is written to the file, in order, and so is what comes after it, until the
 * backlog is gone; as much of it as fits stays in the window, so that it need not be read back.
 *
 * With `freshFirst`, blocks come in at `fresh` and are leased from there beside the window, whatever waits in front; those
 * that are not taken in time, or do not fit, go behind the tail. Between fresh blocks and older ones there is no order.
 */
import { DestinationLedger } from '../ledger/ledger.ts';
import type { Block } from '../model/block.ts';
import type { Counts } from '../model/body.ts';
import type { BlockSource, Lease, LeaseKind, Outcome, Removal } from '../model/delivery.ts';
import { assert } from '../util/assert.ts';
import { messageOf } from '../util/error.ts';
import { Backlog } from './backlog.ts';
import { nextBatch } from './batch.ts';
import type { QueueConfig, QueuePorts } from './config.ts';
import { Drops } from './drops.ts';
import { type LogRecord, SegmentLog } from './file/log.ts';
import { Leases } from './leases.ts';
import { type Entry, firstUnsafeBody, MemoryQueue, newEntry } from './memory.ts';
import { blockOf, recordOf } from './record.ts';

/** A block that has waited this long goes to the file (vmagent's rule): its destination is slow or down. */
const FILE_AFTER_MS = 5_000;
/** The share of `memoryBytesMax` that stays in memory of a backlog that is in the file. */
const WINDOW_SHARE = 0.25;
/** Smaller than vmagent's 512 MiB: a file that cannot be read costs less, and disk space comes back sooner. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** How often what was sent is noted on disk: as much is sent again after a crash. */
const CHECKPOINT_EVERY_MS = 1_000;
const LOG_EVERY_MS = 5_000;

export class DestinationQueue implements BlockSource {
  readonly ledger = new DestinationLedger();
  readonly config: QueueConfig;
  readonly #ports: QueuePorts;
  readonly #window = new MemoryQueue();
  readonly #leases: Leases;
  #opened: SegmentLog | undefined;
  readonly #unloaded = new Backlog();
  readonly #tail = new MemoryQueue();
  readonly #fresh = new MemoryQueue();
  /** Records of fresh blocks that are under way: they come by when the file is read, and are passed over. */
  readonly #apart = new Set<number>();
  /** Of blocks that wait and are in memory only. */
  #unloggedBytes = 0;
  #usesFile = false;
  #writing: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  #checkpointing: Promise<void> | undefined;
  #diskRoom: number | undefined;
  #checkpointMs = 0;
  #failure: string | undefined;
  readonly #windowBytes: number;
  readonly #drops: Drops;

  constructor(config: QueueConfig, ports: QueuePorts) {
    this.config = config;
    this.#leases = new Leases({
      next: (kind) => {
        if (kind === 'drain') return this.#window.next() ?? this.#fresh.next();
        return (kind === 'fresh' ? undefined : this.#window.lease()) ?? this.#fresh.lease();
      },
      end: (entry, outcome) => this.#end(entry, outcome),
    });
    this.#windowBytes = config.memoryBytesMax * WINDOW_SHARE;
    this.#ports = ports;
    this.#drops = new Drops(config.directory, ports.log);
  }

  /** Takes up what earlier runs left, ahead of everything new. Call it once, before the first `push`. */
  async open(): Promise<void> {
    const { directory } = this.config;
    const { log, contents } = await SegmentLog.open({ directory, segmentBytes: SEGMENT_BYTES }, this.#ports);
    this.#opened = log;
    this.#unloaded.start(log.readSeq, log.nextSeq, contents.bytes, contents.counts);
    this.ledger.recover(contents.counts);
    if (contents.records === 0) return;
    this.#usesFile = true;
    this.#ports.log.info('taking up unsent blocks of an earlier run', {
      directory,
      blocks: contents.records,
      bytes: contents.bytes,
    });
    await this.#load();
  }

  get #file(): SegmentLog {
    assert(this.#opened !== undefined, 'the queue is open');
    return this.#opened;
  }

  // What is in it.

  /** Whether a block more would be one too many: the file cannot be written, or there is none. */
  get full(): boolean {
    const cannotWrite = !this.config.onDisk || this.#failure !== undefined;
    const bytesMax = cannotWrite ? this.config.brokenBytesMax : this.config.brokenBytesMax * 2;
    return this.#unloggedBytes >= bytesMax || (this.config.whenFull === 'refuse' && this.#isOverLimit(0));
  }

  /** Whether clients must wait because this destination may not drop anything. */
  get refuses(): boolean {
    return this.config.whenFull === 'refuse' && this.full;
  }

  #isOverLimit(more: number): boolean {
    const { diskBytesMax } = this.config;
    return diskBytesMax > 0 && this.pendingBytes + more > diskBytesMax;
  }

  /** Why the file could not be used at the last try. */
  get failure(): string | undefined {
    return this.#failure;
  }

  get pendingBytes(): number {
    return this.#window.bytes + this.#unloaded.bytes + this.#tail.bytes + this.#fresh.bytes;
  }

  get unloadedBytes(): number {
    return this.#unloaded.bytes;
  }

  get pendingBlocks(): number {
    return this.memoryBlocks + this.#unloaded.blocks;
  }

  get memoryBlocks(): number {
    return this.#window.length + this.#tail.length + this.#fresh.length;
  }

  get pendingCounts(): Counts {
    const sum = { ...this.#unloaded.counts };
    for (const part of [this.#window, this.#tail, this.#fresh]) part.addCountsTo(sum);
    return sum;
  }

  /** How many bytes more may wait, by the limit and by the disk; undefined while that is not known. */
  get roomBytes(): number | undefined {
    const { diskBytesMax } = this.config;
    if (this.#diskRoom === undefined) return undefined;
    return diskBytesMax > 0 ? Math.min(diskBytesMax - this.pendingBytes, this.#diskRoom) : this.#diskRoom;
  }

  /** Bytes and blocks written to and read from the file since the start. */
  get fileTraffic() {
    return { written: this.#file.written, read: this.#file.read, damage: this.#file.damage };
  }

  /** Because the queue was full. */
  get dropped(): Readonly<{ blocks: number; bytes: number }> {
    return this.#drops;
  }

  /** Age in milliseconds of the oldest block that is not finished; 0 when there is none. */
  get oldestAgeMs(): number {
    const bornMs = [this.#window, this.#fresh].map(({ entries }) => entries[0]?.block.bornMs ?? Infinity);
    return Math.max(0, this.#ports.clock.monotonicMs() - Math.min(...bornMs));
  }

  /** The first request of which something waits here in memory only: a crash would lose it. */
  get firstUnsafeBody(): number | undefined {
    return firstUnsafeBody([this.#window, this.#tail, this.#fresh]);
  }

  // In.

  /** Adds a block at the end; what the limit does not allow is dropped and counted. */
  push(block: Block): void {
    const { byteLength } = block.bytes;
    if (this.#isOverLimit(byteLength)) {
      if (this.config.whenFull === 'drop-newest') {
        this.drop(block);
        return;
      }
      if (this.config.whenFull === 'drop-oldest') this.#dropOldest(byteLength);
    }
    this.ledger.route(block.counts);
    this.#add(block, this.config.freshFirst);
  }

  /** Adds a block of another run or queue, or a dead letter, at the end; resolves when there is room for more. */
  async adopt(block: Block): Promise<void> {
    this.ledger.recover(block.counts);
    this.#add(block, false);
    if (this.#unloggedBytes > this.config.memoryBytesMax) await this.sync();
  }

  /** Resolves when everything that was added is safe from a power cut. Rejects when that is not known. */
  async sync(): Promise<void> {
    this.#ageFresh(Number.POSITIVE_INFINITY);
    // One writer at a time: two would write the same blocks.
    while (this.#writing !== undefined) await this.#writing;
    this.#writing = this.#writeRest().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
    await this.#file.sync();
  }

  /** Resolves when what is in the file is safe from a power cut. */
  syncFile(): Promise<void> {
    return this.#file.sync();
  }

  async #writeRest(): Promise<void> {
    while (await this.#writeBatch());
  }

  /** Drops everything that waits and is not under way; returns what that was. */
  async purge(): Promise<{ samples: number; blocks: number }> {
    const [samples, blocks] = [this.ledger.ended.purged.samples, this.pendingBlocks];
    for (;;) {
      const waiting = [...this.#window.unleased, ...this.#fresh.unleased];
      for (const entry of waiting) {
        this.#leave(entry);
        this.ledger.end('purged', entry.block.counts);
      }
      if (this.#unloaded.blocks === 0 && this.#tail.length === 0) break;
      // What is under way may fill the window: then there is no room to read the rest.
      if (waiting.length === 0 && this.#loading === undefined) break;
      await this.#load();
    }
    return { samples: this.ledger.ended.purged.samples - samples, blocks: blocks - this.pendingBlocks };
  }

  #add(block: Block, isFresh: boolean): void {
    block.memory?.hold();
    const entry = newEntry(block, { isFresh });
    this.#unloggedBytes += block.bytes.byteLength;
    if (isFresh) this.#fresh.push(entry);
    else this.#append(entry);
    if (this.#fresh.bytes > this.config.memoryBytesMax) this.#ageFresh(Number.POSITIVE_INFINITY);
    if (this.#window.bytes > this.config.memoryBytesMax) this.#usesFile = true;
    this.#write();
    this.#leases.serve();
  }

  /** Puts it behind everything that waits in order. */
  #append(entry: Entry): void {
    const isBehindFile = this.#unloaded.blocks > 0 || this.#tail.length > 0;
    (isBehindFile ? this.#tail : this.#window).push(entry);
  }

  /** Fresh blocks of this age go to the file: those under way as they are, the others to the end of the rest. */
  #ageFresh(bornBeforeMs: number): void {
    for (const entry of this.#fresh.entries.filter(({ block }) => block.bornMs <= bornBeforeMs)) {
      this.#usesFile = true;
      entry.isAged = true;
      if (entry.leased || entry.seq !== undefined) continue;
      this.#fresh.remove(entry);
      entry.isFresh = false;
      this.#append(entry);
    }
  }

  /** Counts a block that this destination does not get because its queue is full. */
  drop(block: Block): void {
    this.ledger.route(block.counts);
    this.#countDrop(block);
  }

  #countDrop(block: Block): void {
    this.ledger.end('dropped_queue_full', block.counts);
    this.#drops.note(block, this.pendingBytes);
  }

  #dropOldest(room: number): void {
    while (this.#isOverLimit(room)) {
      const hasMore = this.#unloaded.blocks > 0 || this.#tail.length > 0;
      const oldest = this.#window.unleased[0] ?? (hasMore ? undefined : this.#fresh.unleased[0]);
      if (oldest === undefined) break;
      this.#leave(oldest);
      this.#countDrop(oldest.block);
    }
    void this.#load();
  }

  // To the file.

  /** Looks at age, failures and what was sent; call it regularly. */
  maintain(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#ageFresh(nowMs - FILE_AFTER_MS);
    if (this.oldestAgeMs >= FILE_AFTER_MS) {
      this.#usesFile = true;
    } else if (
      this.#unloaded.blocks === 0 &&
      this.#tail.length === 0 &&
      this.#window.bytes <= this.#windowBytes
    ) {
      this.#usesFile = false;
    }
    if (this.config.ageMsMax > 0) this.#dropOld(nowMs - this.config.ageMsMax);
    this.#write();
    void this.#load();
    if (nowMs - this.#checkpointMs >= CHECKPOINT_EVERY_MS) {
      this.#checkpointMs = nowMs;
      this.#checkpointing ??= this.#checkpoint();
    }
  }

  #dropOld(bornBeforeMs: number): void {
    const waiting = [...this.#window.unleased, ...this.#fresh.unleased];
    for (const entry of waiting.filter(({ block }) => block.bornMs < bornBeforeMs)) {
      this.#leave(entry);
      this.ledger.end('too_old', entry.block.counts);
    }
  }

  /** Writes what is in memory only to the file, in order, when the file is in use. */
  #write(): void {
    if (!this.#usesFile || !this.config.onDisk) return;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#usesFile && (await this.#writeBatch()));
      this.#failure = undefined;
    } catch (error) {
      this.#noteFailure('cannot write a queue file; blocks stay in memory, and it is tried again', error);
    }
  }

  /** Whether there was anything to write. */
  async #writeBatch(): Promise<boolean> {
    const batch = nextBatch([this.#window, this.#fresh, this.#tail]);
    if (batch.length === 0) return false;
    const first = await this.#file.append(
      batch.map(({ block }) => recordOf(block, this.#ports.clock)),
      this.config.synced,
    );
    for (const [index, entry] of batch.entries()) {
      entry.seq = first + index;
      if (entry.isFresh && !entry.ended) this.#apart.add(entry.seq);
      if (entry.ended) this.#file.done(entry.seq);
      else this.#unloggedBytes -= entry.block.bytes.byteLength;
    }
    this.#settle();
    return true;
  }

  /** After writing: what is in the file and not in the window leaves memory. */
  #settle(): void {
    if (this.#unloaded.blocks === 0) this.#shrinkWindow();
    if (this.#unloaded.blocks === 0) {
      for (const entry of this.#tail.take(() => true)) this.#window.push(entry);
      return;
    }
    for (const entry of this.#tail.take(({ seq }) => seq !== undefined)) this.#unload(entry);
  }

  /** Takes blocks from the window's end while it is too large. */
  #shrinkWindow(): void {
    let from: number | undefined;
    while (this.#window.bytes > this.#windowBytes) {
      const last = this.#window.entries.at(-1);
      if (last?.seq === undefined || last.leased) break;
      this.#window.remove(last);
      from = last.seq;
      this.#unload(last);
    }
    if (from === undefined) return;
    this.#file.readFrom(from);
  }

  #unload({ block, seq }: Entry): void {
    assert(seq !== undefined, 'what leaves memory is in the file');
    this.#unloaded.add(seq, seq, block.bytes.byteLength, block.counts);
    block.memory?.release(block.bytes);
  }

  async #checkpoint(): Promise<void> {
    try {
      this.#diskRoom = await this.#ports.fs.room(this.config.directory);
      await this.#file.sync();
      await this.#file.checkpoint();
    } catch (error) {
      this.#noteFailure('cannot note on disk what was sent; after a crash it would be sent again', error);
    }
    this.#checkpointing = undefined;
  }

  #noteFailure(message: string, error: unknown): void {
    this.#failure = messageOf(error);
    this.#ports.log
      .limited(`file ${this.config.directory}`, LOG_EVERY_MS)
      .error(message, { queue: this.config.directory, error: this.#failure });
  }

  // From the file.

  /** Fills the window from the file. */
  #load(): Promise<void> {
    if (this.#leases.isClosed || this.#window.bytes > this.#windowBytes / 2) return Promise.resolve();
    this.#loading ??= this.#loadAll().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadAll(): Promise<void> {
    try {
      while (this.#unloaded.blocks > 0 && this.#window.bytes < this.#windowBytes && !this.#leases.isClosed) {
        const record = await this.#file.next();
        // A fresh block was never counted here; it may have been delivered while its record was read.
        const isApart = record !== undefined && this.#isApart(record.header.seq);
        this.#unloaded.take(this.#file.readSeq, isApart ? undefined : record?.header);
        if (record !== undefined && !isApart) this.#take(record);
        if (this.#isOverLimit(0) && this.config.whenFull === 'drop-oldest') this.#dropOldest(0);
        this.#leases.serve();
      }
      if (this.#unloaded.blocks > 0) return;
      this.ledger.end('damaged', this.#unloaded.settle());
      this.#settle();
    } catch (error) {
      this.#noteFailure('cannot read a queue file; it is tried again', error);
    }
  }

  #isApart(seq: number): boolean {
    return this.#apart.has(seq) || this.#file.isDone(seq);
  }

  #take({ header, payload }: LogRecord): void {
    if (payload === undefined) {
      this.ledger.end('damaged', header.counts);
      this.#file.done(header.seq);
      return;
    }
    const block = blockOf(header, payload, this.#ports.clock);
    this.#window.push(newEntry(block, { seq: header.seq, wasRead: true }));
  }

  // Out.

  lease(kind?: LeaseKind): Promise<Lease | undefined> {
    return this.#leases.lease(kind);
  }

  /** While it is paused, no block is given out; those under way are finished. */
  pause(isPaused: boolean): void {
    this.#leases.pause(isPaused);
  }

  get isPaused(): boolean {
    return this.#leases.isPaused;
  }

  /** From now on there are leases of the kind `drain` only, or none of that kind. */
  drain(isDraining: boolean): void {
    this.#leases.drain(isDraining);
  }

  #end(entry: Entry, outcome: Outcome | Removal): void {
    this.#leave(entry);
    this.ledger.settle(outcome, entry.block.counts);
    if (this.#unloaded.blocks > 0) void this.#load();
  }

  #leave(entry: Entry): void {
    (entry.isFresh ? this.#fresh : this.#window).remove(entry);
    entry.ended = true;
    if (entry.seq !== undefined) {
      this.#apart.delete(entry.seq);
      this.#file.done(entry.seq);
    } else this.#unloggedBytes -= entry.block.bytes.byteLength;
    if (entry.wasRead) this.#file.recycle(entry.block.bytes);
  }

  // The end.

  /** No more leases; senders that wait get undefined. */
  close(): void {
    this.#leases.close();
  }

  /**
   * Writes every unfinished block to the file for the next start, whatever the configuration; returns how many wait
   * there. Call it after `close`, with no lease left out. Rejects when that is not possible.
   */
  async spill(): Promise<number> {
    const blocks = this.pendingBlocks;
    await this.sync();
    await this.#checkpointing;
    await this.#file.close();
    return blocks;
  }
}
