/**
 * The state of aggregation in a file, so that a restart goes on where it was. The file says up to which request of the journal
 * it goes: what came later is aggregated anew from there, what came before is not aggregated again. Main thread only.
 *
 *     magic "SLAJ" u32 | checksum of the rest (CRC-32) u32 | last record of the journal f64 | checkpoint
 *
 * All little-endian; the checkpoint is that of `transform/aggregate/checkpoint.ts`.
 */
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { EngineState } from './engine/messages.ts';
import type { StateStore } from './engine/state-keeper.ts';
import type { Fs } from './queue/file/fs.ts';
import { replaceWhole } from './queue/file/whole-file.ts';
import type { Clock } from './util/clock.ts';
import { messageOf } from './util/error.ts';
import type { Logger } from './util/logger.ts';

const MAGIC = 0x4a41_4c53;
const HEADER_BYTES = 16;
const LOG_EVERY_MS = 60_000;
/** How often the file is written, at most: under load there are states ten times a second, of up to some hundred MB. */
const WRITE_EVERY_MS = 10_000;

export interface AggregationStateConfig {
  readonly dataDirectory: string;
  /** Without it there is no file, and one that is there is of no use. */
  readonly isKept: boolean;
}

export interface AggregationStatePorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether anything is aggregated or deduplicated. */
  readonly isActive: () => boolean;
  /** Whether everything that was made of the requests up to this one is delivered or in a queue file. */
  readonly isSafeTo: (id: number) => boolean;
  /** The last record of the journal for the requests up to this one; undefined while it cannot be told. */
  readonly seqUpTo: (id: number) => number | undefined;
}

export class AggregationState implements StateStore {
  readonly #file: string;
  readonly #isKept: boolean;
  readonly #ports: AggregationStatePorts;
  #latest: EngineState | undefined;
  #writing: Promise<boolean> | undefined;
  #written: EngineState | undefined;
  /** Of no use any more. */
  readonly #unused: EngineState[] = [];
  /** The file has the state up to here. */
  #safeTo = -1;
  #takenSeq = 0;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor({ dataDirectory, isKept }: AggregationStateConfig, ports: AggregationStatePorts) {
    this.#file = path.join(dataDirectory, 'aggregation.state');
    this.#isKept = isKept;
    this.#ports = ports;
  }

  /** What an earlier run left; undefined when there is nothing of use. */
  async open(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#isKept) {
      await this.#ports.fs.unlink(this.#file).catch(() => {});
      return undefined;
    }
    const bytes = await this.#read();
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isGood =
      bytes.length >= HEADER_BYTES &&
      view.getUint32(0, true) === MAGIC &&
      view.getUint32(4, true) === crc32(bytes.subarray(8));
    if (!isGood) {
      this.#ports.log.error(
        'the file of aggregation is damaged; rules begin anew, and what it held is lost',
        {
          file: this.#file,
        },
      );
      return undefined;
    }
    this.#takenSeq = view.getFloat64(8, true);
    return bytes.subarray(HEADER_BYTES);
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { fs, log } = this.#ports;
    try {
      const bytes = new Uint8Array(await fs.size(this.#file));
      const file = await fs.open(this.#file);
      try {
        await file.read(bytes, 0);
        return bytes;
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      log.error('the file of aggregation cannot be read; rules begin anew', {
        file: this.#file,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  /** The last record of the journal whose samples the state has that `open` gave. */
  get takenSeq(): number {
    return this.#takenSeq;
  }

  /** The first request that a restart after a crash would need. */
  get neededFrom(): number {
    return this.#isKept && this.#ports.isActive() ? Math.floor(this.#safeTo) + 1 : Number.POSITIVE_INFINITY;
  }

  /** The engine gave its state. */
  offer(state: EngineState): void {
    const before = this.#latest;
    this.#latest = state;
    if (before !== undefined && before !== this.#written) this.#unused.push(before);
    // A crash in the first moments would begin other windows.
    if (this.#safeTo < 0) void this.maintain();
  }

  /** An older state that nobody needs any more: left to the collector, they pile up. */
  takeUnused(): EngineState | undefined {
    return this.#unused.pop();
  }

  get isWriting(): boolean {
    return this.#written !== undefined;
  }

  /** Writes the state once everything is safe that it no longer holds; call it regularly. */
  async maintain(): Promise<void> {
    const state = this.#latest;
    if (state !== undefined && !this.#ports.isActive()) await this.#remove();
    else if (this.#writing !== undefined) await this.#writing;
    else if (this.#isKept && state !== undefined && state.at > this.#safeTo) {
      const isDue = this.#ports.clock.monotonicMs() - this.#writtenMs >= WRITE_EVERY_MS;
      if (isDue && this.#ports.isSafeTo(state.at)) await this.#writeAlone(state);
    }
  }

  /** Writes the last state; whether that worked. At the end of a run, when everything else is safe. */
  async close(): Promise<boolean> {
    await this.#writing;
    const state = this.#latest;
    return !this.#isKept || state === undefined || this.#writeAlone(state);
  }

  /** A reload took all rules away: they ended, and must not come back as they were. */
  async #remove(): Promise<void> {
    this.#latest = undefined;
    this.#safeTo = -1;
    await this.#writing;
    await this.#ports.fs.unlink(this.#file).catch(() => {});
  }

  async #writeAlone(state: EngineState): Promise<boolean> {
    this.#written = state;
    this.#writing = this.#write(state);
    const isWritten = await this.#writing;
    this.#writing = undefined;
    this.#written = undefined;
    if (state !== this.#latest) this.#unused.push(state);
    return isWritten;
  }

  async #write(state: EngineState): Promise<boolean> {
    const { fs, log, seqUpTo } = this.#ports;
    const seq = seqUpTo(Math.floor(state.at));
    if (seq === undefined) return false;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(MAGIC, 0);
    header.writeDoubleLE(Math.max(seq, this.#takenSeq), 8);
    header.writeUInt32LE(crc32(state.bytes, crc32(header.subarray(8))), 4);
    try {
      await replaceWhole(fs, this.#file, [header, state.bytes]);
      this.#safeTo = Math.max(this.#safeTo, state.at);
      this.#writtenMs = this.#ports.clock.monotonicMs();
      return true;
    } catch (error) {
      log
        .limited('aggregation state', LOG_EVERY_MS)
        .error('cannot write the state of aggregation; after a crash rules go on from an older one', {
          file: this.#file,
          error: messageOf(error),
        });
      return false;
    }
  }
}
