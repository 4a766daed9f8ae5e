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
import { Ahead } from './ahead.ts';
import { nextBatch } from './batch.ts';
import { BlockFile } from './block-file.ts';
import { Checkpoints } from './checkpoints.ts';
import type { QueueConfig, QueuePorts } from './config.ts';
import { Drops } from './drops.ts';
import { Failures } from './failures.ts';
import type { LogRecord, SegmentLog } from './file/log.ts';
import { Leases } from './leases.ts';
import { type Entry, type MemoryQueue, newEntry } from './memory.ts';
import { Parts } from './parts.ts';

/** A block that has waited this long goes to the file (vmagent's rule): its destination is slow or down. */
const FILE_AFTER_MS = 5_000;
/** The share of `memoryBytesMax` that stays in memory of a backlog that is in the file. */
const WINDOW_SHARE = 0.25;

export class DestinationQueue implements BlockSource {
  readonly ledger = new DestinationLedger();
  readonly config: QueueConfig;
  readonly #ports: QueuePorts;
  readonly ahead = new Ahead(() => this.#leases.serve());
  readonly #parts = new Parts(this.ahead.blocks);
  readonly #window = this.#parts.window;
  readonly #unloaded = this.#parts.unloaded;
  readonly #tail = this.#parts.tail;
  readonly #fresh = this.#parts.fresh;
  readonly #leases: Leases;
  #opened: BlockFile | undefined;
  /** Records of fresh blocks that are under way: they come by when the file is read, and are passed over. */
  readonly #apart = new Set<number>();
  /** Of blocks that wait and are in memory only. */
  #unloggedBytes = 0;
  #usesFile = false;
  #writing: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  readonly #windowBytes: number;
  readonly #drops: Drops;
  readonly #failures: Failures;
  readonly #checkpoints: Checkpoints;

  constructor(config: QueueConfig, ports: QueuePorts) {
    this.config = config;
    this.#leases = new Leases({
      next: (kind) => this.#next(kind),
      isOrdered: (entry) => !entry.isFresh && !this.ahead.has(entry),
      end: (entry, outcome) => this.#end(entry, outcome),
    });
    this.#windowBytes = config.memoryBytesMax * WINDOW_SHARE;
    this.#ports = ports;
    this.#drops = new Drops(config.directory, ports.log);
    this.#failures = new Failures(config.directory, ports.log);
    this.#checkpoints = new Checkpoints(ports.fs, config.directory, this.#failures);
  }

  /** Takes up what earlier runs left, ahead of everything new. Call it once, before the first `push`. */
  async open(): Promise<void> {
    const { directory } = this.config;
    const opened = await BlockFile.open(directory, this.#ports);
    this.#opened = opened;
    const { records: blocks, bytes, counts } = opened.contents;
    this.#unloaded.start(opened.log.readSeq, opened.log.nextSeq, bytes, counts);
    this.ledger.recover(counts);
    if (blocks === 0) return;
    this.#usesFile = true;
    this.#ports.log.info('taking up unsent blocks of an earlier run', { directory, blocks, bytes });
    await this.#load();
  }

  get #oldest(): MemoryQueue {
    return this.ahead.isHolding ? this.ahead.blocks : this.#window;
  }

  get #blocks(): BlockFile {
    assert(this.#opened !== undefined, 'the queue is open');
    return this.#opened;
  }

  get #file(): SegmentLog {
    return this.#blocks.log;
  }

  // What is in it.

  /** Whether a block more would be one too many: the file cannot be written, or there is none. */
  get full(): boolean {
    const cannotWrite = !this.config.onDisk || this.failure !== undefined;
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
    return this.#failures.cause;
  }

  get pendingBytes(): number {
    return this.#parts.bytes;
  }

  get unloadedBytes(): number {
    return this.#unloaded.bytes;
  }

  get pendingBlocks(): number {
    return this.#parts.blocks;
  }

  /** Whether nothing waits, nor is to come from elsewhere ahead of everything. */
  get isEmpty(): boolean {
    return this.pendingBlocks === 0 && !this.ahead.isHolding;
  }

  get memoryBlocks(): number {
    return this.#parts.memoryBlocks;
  }

  get pendingCounts(): Counts {
    return this.#parts.counts;
  }

  /** How many bytes more may wait, by the limit and by the disk; undefined while that is not known. */
  get roomBytes(): number | undefined {
    const { diskBytesMax } = this.config;
    const { diskRoom } = this.#checkpoints;
    if (diskRoom === undefined) return undefined;
    return diskBytesMax > 0 ? Math.min(diskBytesMax - this.pendingBytes, diskRoom) : diskRoom;
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
    return Math.max(0, this.#ports.clock.monotonicMs() - this.#parts.oldestBornMs);
  }

  /** The first request of which something waits here in memory only: a crash would lose it. */
  get firstUnsafeBody(): number | undefined {
    return this.#parts.firstUnsafeBody;
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
    this.#writing = this.#writeWhile(() => true).finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
    await this.#file.sync();
  }

  /** Resolves when what is in the file is safe from a power cut. */
  syncFile(): Promise<void> {
    return this.#file.sync();
  }

  /**
   * Drops what waits and is not under way, all of it or what is in the file before the record `beforeSeq`; returns what
   * that was.
   */
  async purge(beforeSeq?: number): Promise<{ samples: number; blocks: number }> {
    const dropped = { samples: 0, blocks: 0 };
    const isMeant = ({ seq }: Entry) => beforeSeq === undefined || (seq !== undefined && seq < beforeSeq);
    for (;;) {
      for (const entry of this.#parts.unleased.filter(isMeant)) {
        this.#leave(entry);
        this.ledger.end('purged', entry.block.counts);
        dropped.samples += entry.block.counts.samples;
        dropped.blocks++;
      }
      const { readSeq } = this.#file;
      const isBehind = this.#unloaded.blocks > 0 && readSeq < (beforeSeq ?? Number.POSITIVE_INFINITY);
      if (!isBehind && (beforeSeq !== undefined || this.#tail.length === 0)) break;
      await this.#load();
      // Nothing came: the file cannot be read now, or the queue is closed.
      if (this.#file.readSeq === readSeq && !this.#parts.unleased.some(isMeant)) break;
    }
    return dropped;
  }

  /**
   * What waits now goes to the end of another queue too, or instead (counted as purged here); what is under way may arrive
   * at both. Returns the number of blocks; rejects when not all of them are safe there, and then all stay here.
   */
  async copyTo(other: DestinationQueue, isMove: boolean): Promise<number> {
    const release = this.#leases.hold();
    try {
      await this.sync();
      // What comes meanwhile is not meant.
      const end = this.#file.nextSeq;
      let blocks = 0;
      for await (const block of this.#blocks.copies(end)) {
        await other.adopt(block);
        blocks++;
      }
      await other.sync();
      if (isMove) await this.purge(end);
      return blocks;
    } finally {
      release();
    }
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
      this.#countDrop(oldest.block);
      this.#leave(oldest);
    }
    void this.#load();
  }

  // To the file.

  /** Looks at age, failures and what was sent; call it regularly. */
  maintain(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#ageFresh(nowMs - FILE_AFTER_MS);
    const isBehindFile = this.#unloaded.blocks > 0 || this.#tail.length > 0;
    if (this.oldestAgeMs >= FILE_AFTER_MS) this.#usesFile = true;
    else if (!isBehindFile && this.#window.bytes <= this.#windowBytes) this.#usesFile = false;
    for (const entry of this.#parts.unleased) if (this.#isTooOld(entry)) this.#dropOld(entry);
    this.#write();
    void this.#load();
    this.#checkpoints.maintain(this.#file, nowMs);
  }

  #isTooOld({ block }: Entry): boolean {
    const { ageMsMax } = this.config;
    return ageMsMax > 0 && this.#ports.clock.monotonicMs() - block.bornMs > ageMsMax;
  }

  #dropOld(entry: Entry): void {
    this.#leave(entry);
    this.ledger.end('too_old', entry.block.counts);
    if (this.#unloaded.blocks > 0) void this.#load();
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
      await this.#writeWhile(() => this.#usesFile);
      this.#failures.clear('write');
    } catch (error) {
      this.#failures.note('write', error);
    }
  }

  async #writeWhile(isWanted: () => boolean): Promise<void> {
    while (isWanted() && (await this.#writeBatch()));
  }

  /** Whether there was anything to write. */
  async #writeBatch(): Promise<boolean> {
    const batch = nextBatch([this.#window, this.#fresh, this.#tail]);
    if (batch.length === 0) return false;
    const blocks = batch.map(({ block }) => block);
    for (const { memory } of blocks) memory?.hold();
    const written = this.#blocks.append(blocks, this.config.synced);
    const first = await written.finally(() => blocks.map(({ memory, bytes }) => memory?.release(bytes)));
    for (const [index, entry] of batch.entries()) {
      entry.seq = first + index;
      if (entry.isFresh && !entry.ended) this.#apart.add(entry.seq);
      if (entry.ended) this.#file.done(entry.seq);
      else this.#unloggedBytes -= entry.block.bytes.byteLength;
    }
    this.#settle();
    return true;
  }

  #settle(): void {
    const from = this.#parts.settle(() => this.#windowWaiting > this.#windowBytes);
    if (from !== undefined) this.#file.readFrom(from);
  }

  // From the file.

  /** Bytes of the window that no sender has: those that senders hold, and may hold for long, must not keep the rest out. */
  get #windowWaiting(): number {
    return this.#window.bytes - this.#leases.orderedBytes;
  }

  /** Fills the window from the file. */
  #load(): Promise<void> {
    if (this.#loading !== undefined) return this.#loading;
    if (this.#leases.isClosed || this.#windowWaiting > this.#windowBytes / 2) return Promise.resolve();
    this.#loading = this.#loadAll().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadAll(): Promise<void> {
    try {
      while (this.#unloaded.blocks > 0 && this.#windowWaiting < this.#windowBytes && !this.#leases.isClosed) {
        const record = await this.#file.next();
        this.#failures.clear('read');
        // A fresh block was never counted here; it may have been delivered while its record was read.
        const seq = record?.header.seq ?? 0;
        const isApart = this.#apart.has(seq) || this.#file.isDone(seq);
        this.#unloaded.take(this.#file.readSeq, isApart ? undefined : record?.header);
        if (record !== undefined && !isApart) this.#take(record);
        if (this.#isOverLimit(0) && this.config.whenFull === 'drop-oldest') this.#dropOldest(0);
        this.#leases.serve();
      }
      if (this.#unloaded.blocks > 0) return;
      this.ledger.end('damaged', this.#unloaded.settle());
      this.#settle();
    } catch (error) {
      this.#failures.note('read', error);
    }
  }

  #take({ header, payload }: LogRecord): void {
    if (payload === undefined) {
      this.ledger.end('damaged', header.counts);
      this.#file.done(header.seq);
      return;
    }
    const block = this.#blocks.blockOf(header, payload);
    this.#window.push(newEntry(block, { seq: header.seq, wasRead: true }));
  }

  // Out.

  #next(kind: LeaseKind): Entry | undefined {
    for (;;) {
      const take = (part: MemoryQueue) => (kind === 'drain' ? part.next() : part.lease());
      const entry = (kind === 'fresh' ? undefined : take(this.#oldest)) ?? take(this.#fresh);
      if (entry === undefined || !this.#isTooOld(entry)) return entry;
      this.#dropOld(entry);
    }
  }

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
    this.ledger.finish(entry.block.counts, outcome);
    if (this.#unloaded.blocks > 0) void this.#load();
  }

  #leave(entry: Entry): void {
    if (this.ahead.end(entry)) return;
    (entry.isFresh ? this.#fresh : this.#window).remove(entry);
    entry.ended = true;
    if (entry.seq !== undefined) {
      this.#apart.delete(entry.seq);
      this.#file.done(entry.seq);
    } else this.#unloggedBytes -= entry.block.bytes.byteLength;
    if (entry.wasRead) this.#file.recycle(entry.block.bytes);
    entry.block.memory?.release(entry.block.bytes);
  }

  /** No more leases; senders that wait get undefined. */
  close(): void {
    this.#leases.close();
    this.ahead.close();
  }

  /**
   * Writes every unfinished block to the file for the next start, whatever the configuration; returns how many wait
   * there. Call it after `close`, with no lease left out. Rejects when that is not possible.
   */
  async spill(): Promise<number> {
    const blocks = this.pendingBlocks - this.ahead.blocks.length;
    await this.sync();
    await this.#checkpoints.idle();
    await this.#file.close();
    return blocks;
  }
}
