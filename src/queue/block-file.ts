/** The file of a queue as blocks: a log, and what monotonic time its records' wall times are. */
import type { Block } from '../model/block.ts';
import type { QueuePorts } from './config.ts';
import type { RecordHeader } from './file/format.ts';
import { inspectLog } from './file/inspect.ts';
import { SegmentLog } from './file/log.ts';
import type { LogContents } from './file/recovery.ts';
import { blockOf, recordOf, WallTime } from './record.ts';

/** Smaller than vmagent's 512 MiB: a file that cannot be read costs less, and disk space comes back sooner. */
const SEGMENT_BYTES = 64 * 1024 * 1024;

export class BlockFile {
  readonly log: SegmentLog;
  /** What it held at the opening. */
  readonly contents: LogContents;
  readonly #directory: string;
  readonly #ports: QueuePorts;
  readonly #wallTime: WallTime;

  private constructor(directory: string, ports: QueuePorts, log: SegmentLog, contents: LogContents) {
    this.log = log;
    this.contents = contents;
    this.#directory = directory;
    this.#ports = ports;
    this.#wallTime = new WallTime(ports.clock);
  }

  /** Throws a SluiceError when the directory cannot be used. */
  static async open(directory: string, ports: QueuePorts): Promise<BlockFile> {
    const { log, contents } = await SegmentLog.open({ directory, segmentBytes: SEGMENT_BYTES }, ports);
    return new BlockFile(directory, ports, log, contents);
  }

  /** Resolves to the first one's number once they are with the operating system, or on the disk if `synced`. */
  async append(blocks: readonly Block[], synced: boolean): Promise<number> {
    const wall = this.#wallTime.now;
    const records = blocks.map((block) => recordOf(block, wall));
    const first = await this.log.append(records, synced);
    this.#wallTime.note(first, wall);
    return first;
  }

  /** A record as a block, whose age goes on. */
  blockOf(header: RecordHeader, payload: Uint8Array): Block {
    return blockOf(header, payload, this.#ports.clock.monotonicMs(), this.#wallTime.of(header.seq));
  }

  /** What is not done with before the record `beforeSeq`; it stays there. */
  async *copies(beforeSeq: number): AsyncGenerator<Block> {
    for await (const finding of inspectLog(this.#ports.fs, this.#directory)) {
      if (finding.kind !== 'record') continue;
      const { header, payload } = finding;
      if (header.seq >= beforeSeq) return;
      if (!this.log.isDone(header.seq)) yield this.blockOf(header, payload);
    }
  }
}
