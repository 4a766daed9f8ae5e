import { assert } from '../../util/assert.ts';
import { BufferPool } from '../../util/buffer-pool.ts';
import type { Clock } from '../../util/clock.ts';
import { messageOf, SluiceError } from '../../util/error.ts';
import type { Logger } from '../../util/logger.ts';
import { CursorFile } from './cursor.ts';
import { Damage } from './damage.ts';
import { DoneRecords } from './done.ts';
import {
  encodeRecordFrame,
  isPayloadLength,
  PAYLOAD_BYTES_MAX,
  type RecordHeader,
  recordLength,
  SEGMENT_HEADER_BYTES,
} from './format.ts';
import type { Fs } from './fs.ts';
import { type LogContents, recoverSegments } from './recovery.ts';
import {
  type CreatedSegment,
  createSegment,
  POOLED_BYTES_MAX,
  renewSegment,
  type Segment,
  SegmentReader,
  type SegmentRecord,
} from './segment.ts';
import { Segments } from './segments.ts';
import { StuckPlace } from './stuck.ts';

export interface LogOptions {
  readonly directory: string;
  /** A segment is closed when it has reached this many bytes. */
  readonly segmentBytes: number;
}

export interface LogPorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A record to be appended; the log gives it its number. */
export interface NewRecord {
  readonly header: Omit<RecordHeader, 'seq' | 'payloadLength'>;
  /** Chunks that make it up, one after another. */
  readonly payload: readonly Uint8Array[];
}

export interface LogRecord {
  readonly header: RecordHeader;
  /** Undefined: the bytes are damaged, the header is not. */
  readonly payload: Uint8Array | undefined;
}

interface Append {
  readonly records: readonly NewRecord[];
  readonly synced: boolean;
  readonly resolve: (firstSeq: number) => void;
  readonly reject: (error: unknown) => void;
}

export class SegmentLog {
  readonly #options: LogOptions;
  readonly #ports: LogPorts;
  /** In order; the last one is written to while `#active` is there. */
  #segments = new Segments();
  #active: (CreatedSegment & { readonly segment: Segment }) | undefined;
  #nextSeq = 1;
  #appends: Append[] = [];
  /** Everything that changes files runs one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #pumping = false;
  #isDirty = false;

  readonly #done = new DoneRecords();
  readonly #cursor: CursorFile;
  #cursorSeq = 0;

  #reader: { readonly segment: Segment; readonly reader: SegmentReader } | undefined;
  #readSeq = 1;
  #readOffset = SEGMENT_HEADER_BYTES;
  /**
   * Memory of payloads that were given back. Without it a drain allocates as much as it sends, which V8 answers by
   * collecting the whole heap again and again: half of the CPU time of a drain.
   */
  readonly #buffers = new BufferPool(POOLED_BYTES_MAX);
  readonly #damage: Damage;
  readonly #stuck: StuckPlace;
  readonly #written = { records: 0, bytes: 0, ms: 0 };
  readonly #read = { records: 0, bytes: 0, ms: 0 };

  private constructor(options: LogOptions, ports: LogPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#cursor = new CursorFile(ports.fs, options.directory);
    this.#damage = new Damage(ports.fs, ports.log);
    this.#stuck = new StuckPlace(ports.clock);
  }

  /** Takes up what is there. Throws a SluiceError when the directory cannot be used. */
  static async open(
    options: LogOptions,
    ports: LogPorts,
  ): Promise<{ readonly log: SegmentLog; readonly contents: LogContents }> {
    const log = new SegmentLog(options, ports);
    try {
      await ports.fs.makeDirectory(options.directory);
      return { log, contents: await log.#takeUp() };
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw new SluiceError(
        'queue_open',
        `cannot open the queue at ${options.directory}: ${messageOf(error)}; make the directory readable and writable, or give another one with -remoteWrite.tmpDataPath`,
        { cause: error },
      );
    }
  }

  async #takeUp(): Promise<LogContents> {
    const cursor = await this.#cursor.read(this.#ports.log);
    const found = await recoverSegments(this.#options.directory, cursor, this.#ports.fs, this.#damage);
    this.#segments = new Segments(found.segments);
    this.#nextSeq = found.nextSeq;
    this.#done.start(found.start);
    this.#cursorSeq = found.start;
    this.#readSeq = found.start;
    return found.contents;
  }

  /** The number that the next record gets. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** The first record that `read` has not reached. */
  get readSeq(): number {
    return this.#readSeq;
  }

  /** Bytes of all segments, with what is done with in the first one. */
  get fileBytes(): number {
    return this.#segments.bytes;
  }

  get segments(): number {
    return this.#segments.all.length;
  }

  /** Records that could not be read, and bytes that were no records. */
  get damage(): Readonly<{ records: number; bytes: number }> {
    return this.#damage;
  }

  /** Since the opening, with their frames, and the time that it took. */
  get written(): Readonly<{ records: number; bytes: number; ms: number }> {
    return this.#written;
  }

  get read(): Readonly<{ records: number; bytes: number; ms: number }> {
    return this.#read;
  }

  // Appending.

  /**
   * Resolves to the number of the first record when all of them are with the operating system, or on the disk if `synced`;
   * rejects when none of them counts as written. A payload that could not be read back is rejected.
   */
  append(records: readonly NewRecord[], synced = false): Promise<number> {
    return new Promise((resolve, reject) => {
      const bad = records.map(({ payload }) => bytesOf(payload)).find((bytes) => !isPayloadLength(bytes));
      if (bad !== undefined)
        throw new RangeError(`a payload of ${bad} bytes is none of 1 to ${PAYLOAD_BYTES_MAX}`);
      this.#appends.push({ records, synced, resolve, reject });
      if (!this.#pumping) void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#appends.length > 0) {
      const batch = this.#appends;
      this.#appends = [];
      await this.#exclusive(() => this.#write(batch));
    }
    this.#pumping = false;
  }

  async #write(batch: readonly Append[]): Promise<void> {
    const firstSeq = this.#nextSeq;
    const startMs = this.#ports.clock.monotonicMs();
    try {
      const active = await this.#openActive();
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for (const { records } of batch) {
        for (const { header, payload } of records) {
          const payloadLength = bytesOf(payload);
          const full = { ...header, seq: this.#nextSeq++, payloadLength };
          const { head, tail } = encodeRecordFrame(full, payload, active.seedAt(active.segment.size + bytes));
          chunks.push(head, ...payload, tail);
          bytes += recordLength(payloadLength);
        }
      }
      await active.file.write(chunks, active.segment.size);
      this.#isDirty = true;
      if (batch.some(({ synced }) => synced)) await this.#syncActive(bytes);
      active.segment.size += bytes;
      this.#written.bytes += bytes;
      this.#written.records += this.#nextSeq - firstSeq;
    } catch (error) {
      this.#nextSeq = firstSeq;
      await this.#retreat();
      for (const { reject } of batch) reject(error);
      return;
    }
    this.#written.ms += this.#ports.clock.monotonicMs() - startMs;
    let seq = firstSeq;
    for (const { records, resolve } of batch) {
      resolve(seq);
      seq += records.length;
    }
  }

  async #openActive() {
    if (this.#active !== undefined && this.#active.segment.size < this.#options.segmentBytes)
      return this.#active;
    await this.#closeActive();
    const { fs, clock } = this.#ports;
    const firstSeq = this.#nextSeq;
    const created = await createSegment(fs, this.#options.directory, firstSeq, clock.nowMs());
    const size = SEGMENT_HEADER_BYTES;
    const segment: Segment = { firstSeq, path: created.path, size, syncedSize: size };
    this.#segments.add(segment);
    this.#active = { ...created, segment };
    return this.#active;
  }

  /** `more` bytes behind the end of the segment are not counted yet. */
  async #syncActive(more = 0): Promise<void> {
    const active = this.#active;
    if (active === undefined || !this.#isDirty) return;
    try {
      await active.file.sync();
      active.segment.syncedSize = active.segment.size + more;
      this.#isDirty = false;
    } catch (error) {
      this.#isDirty = false;
      await this.#giveUpActive();
      throw error;
    }
  }

  async #closeActive(): Promise<void> {
    await this.#syncActive();
    const active = this.#active;
    this.#active = undefined;
    await active?.file.close();
  }

  /** After a failed write: back to the last good end, or on to a new segment. */
  async #retreat(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    try {
      await active.file.truncate(active.segment.size);
    } catch {
      await this.#giveUpActive();
    }
  }

  /** What comes goes to a new segment. */
  async #giveUpActive(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.file.close().catch(() => {});
  }

  /** Makes everything that was appended safe from a power cut. Rejects when that is not known. */
  sync(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#syncActive();
      // What a sync that failed has left: nothing is known of the disk, but the kernel may still have all of it.
      for (const segment of this.#segments.all) {
        if (
          segment.syncedSize >= segment.size ||
          this.#segments.endOf(segment, this.#nextSeq) <= this.#done.before
        )
          continue;
        if (this.#reader?.segment === segment) await this.#closeReader();
        await renewSegment(this.#ports.fs, segment, (seq) => !this.isDone(seq));
      }
    });
  }

  // Reading.

  /** The next record that was not read, in order; undefined at the end. What is damaged is counted and passed over. */
  async next(): Promise<LogRecord | undefined> {
    const startMs = this.#ports.clock.monotonicMs();
    const record = await this.#exclusive(() => this.#nextOrPast());
    this.#read.ms += this.#ports.clock.monotonicMs() - startMs;
    return record;
  }

  /** A place that can never be read is damage; until that is known it is tried again, and nothing has moved. */
  async #nextOrPast(): Promise<LogRecord | undefined> {
    try {
      const record = await this.#next();
      this.#stuck.clear();
      return record;
    } catch (error) {
      const place = `${this.#readSeq} ${this.#readOffset} ${this.#reader === undefined}`;
      if (!(await this.#stuck.isLost(place, () => this.#cursor.write(this.#done.before)))) throw error;
      return this.#pastUnreadable();
    }
  }

  async #pastUnreadable(): Promise<LogRecord | undefined> {
    const { segment, reader } = this.#reader ?? {};
    if (segment === undefined || reader === undefined) {
      const unreadable = this.#segments.with(this.#readSeq);
      if (unreadable !== undefined) await this.#setAside(unreadable);
      return undefined;
    }
    const record = await reader.recordAt(this.#readOffset, segment.size).catch(() => undefined);
    if (record !== undefined) return this.#took(segment, reader, record, undefined);
    const next = await reader.recordBehind(this.#readOffset, segment.size);
    await this.#damage.keep(reader, segment.path, this.#readOffset, next?.offset ?? segment.size);
    this.#readOffset = next?.offset ?? segment.size;
    return this.#next();
  }

  async #next(): Promise<LogRecord | undefined> {
    while (this.#readSeq < this.#nextSeq) {
      const current = await this.#openReader();
      if (current === undefined) {
        this.#skipTo(this.#nextSeq);
        return undefined;
      }
      const { segment, reader } = current;
      const record =
        (await reader.recordAt(this.#readOffset, segment.size)) ?? (await this.#pastDamage(segment, reader));
      if (record === undefined || record.header.seq >= this.#segments.endOf(segment, this.#nextSeq)) {
        await this.#leaveSegment(segment);
        continue;
      }
      const { seq } = record.header;
      // Sent by another sender while it was in memory, done with in an earlier run, or written twice after an error.
      if (seq < this.#readSeq || this.isDone(seq)) {
        this.#readOffset = record.end;
        if (seq >= this.#readSeq) this.#readSeq = seq + 1;
        continue;
      }
      this.#readOffset = record.offset;
      // If the disk fails here, nothing has moved: the record is read again later.
      return this.#took(segment, reader, record, await reader.payloadOf(record, this.#buffers));
    }
    return undefined;
  }

  async #took(
    segment: Segment,
    reader: SegmentReader,
    { header, offset, end }: SegmentRecord,
    payload: Uint8Array | undefined,
  ): Promise<LogRecord> {
    this.#readOffset = end;
    this.#skipTo(header.seq);
    this.#readSeq = header.seq + 1;
    this.#read.records++;
    this.#read.bytes += end - offset;
    if (payload === undefined) {
      this.#damage.records++;
      await this.#damage.keep(reader, segment.path, offset, end);
    }
    return { header, payload };
  }

  /** The segment of the record to be read next. */
  async #openReader(): Promise<{ segment: Segment; reader: SegmentReader } | undefined> {
    if (this.#reader !== undefined) return this.#reader;
    const segment = this.#segments.with(this.#readSeq);
    if (segment === undefined) return undefined;
    const opened = await SegmentReader.open(this.#ports.fs, segment.path);
    if (opened.status !== 'ok') {
      await this.#setAside(segment);
      return this.#openReader();
    }
    this.#reader = { segment, reader: opened.value };
    this.#readOffset = SEGMENT_HEADER_BYTES;
    return this.#reader;
  }

  async #pastDamage(segment: Segment, reader: SegmentReader): Promise<SegmentRecord | undefined> {
    if (this.#readOffset >= segment.size) return undefined;
    const record = await reader.recordAfter(this.#readOffset, segment.size);
    await this.#damage.keep(reader, segment.path, this.#readOffset, record?.offset ?? segment.size);
    return record;
  }

  async #leaveSegment(segment: Segment): Promise<void> {
    await this.#closeReader();
    this.#skipTo(this.#segments.endOf(segment, this.#nextSeq));
  }

  async #closeReader(): Promise<void> {
    await this.#reader?.reader.close();
    this.#reader = undefined;
  }

  /** Records before `seq` that were not read are lost: nobody will ever finish them. */
  #skipTo(seq: number): void {
    for (; this.#readSeq < seq; this.#readSeq++) {
      this.#damage.records++;
      this.#done.add(this.#readSeq);
    }
  }

  /** Sets the next record to be read: those before it are in memory. Not while a `next` is under way. */
  readFrom(seq: number): void {
    const { reader } = this.#reader ?? {};
    this.#reader = undefined;
    this.#readSeq = seq;
    if (reader !== undefined) void this.#exclusive(() => reader.close());
  }

  /** The payload of a record that was read is not needed any more: its memory serves the next one. */
  recycle(payload: Uint8Array): void {
    if (this.#readSeq >= this.#nextSeq) this.#buffers.clear();
    else if (payload.buffer instanceof ArrayBuffer) this.#buffers.give(payload.buffer);
  }

  // Giving back.

  /** The record is done with; once everything before it is too, its place is given back at the next checkpoint. */
  done(seq: number): void {
    assert(seq < this.#nextSeq, `record ${seq} was appended`);
    this.#done.add(seq);
  }

  isDone(seq: number): boolean {
    return this.#done.has(seq);
  }

  /** Keeps how far things are, and removes the segments that are done with. Rejects when the disk does not take it. */
  checkpoint(): Promise<void> {
    return this.#exclusive(() => this.#checkpoint());
  }

  async #checkpoint(): Promise<void> {
    const seq = this.#done.before;
    if (seq !== this.#cursorSeq) await this.#cursor.write(seq);
    this.#cursorSeq = seq;
    const isDone = (segment: Segment) => this.#segments.endOf(segment, this.#nextSeq) <= seq;
    const done = this.#segments.all.filter(isDone);
    if (done.length === 0) return;
    if (this.#active !== undefined && done.includes(this.#active.segment)) await this.#giveUpActive();
    if (this.#reader !== undefined && done.includes(this.#reader.segment)) await this.#closeReader();
    for (const segment of done) {
      await this.#ports.fs.unlink(segment.path).catch((error) => {
        // Somebody else has deleted it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
      this.#segments.remove(segment);
    }
    await this.#ports.fs.syncDirectory(this.#options.directory);
  }

  async close(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#syncActive();
      await this.#checkpoint().catch((error) => {
        const fields = { directory: this.#options.directory, error: messageOf(error) };
        this.#ports.log.warn('cannot note on disk what was sent; the next start sends it again', fields);
      });
      await this.#closeActive();
      await this.#closeReader();
      await this.#cursor.close();
    });
  }

  async #setAside(segment: Segment): Promise<void> {
    this.#segments.remove(segment);
    if (this.#active?.segment === segment) await this.#giveUpActive();
    await this.#damage.setAside(segment.path, segment.size);
  }

  #exclusive<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function bytesOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
