/**
 * What a vmagent could not send, sent from where it is: its queue is read while the relay runs, ahead of everything in the
 * destination's own queue, and its directory is renamed when all of it has ended. A note beside its files tells how far
 * that is, so that a stop or a kill in the middle costs at most a second's work.
 */
import path from 'node:path';
import { messageOf as readMessage } from './destination/split.ts';
import { ALL_SLOTS, type Codec } from './model/block.ts';
import type { Outlet } from './outlet.ts';
import { flockHolder } from './queue/file/flock.ts';
import type { Fs } from './queue/file/fs.ts';
import { findVmagentQueue, VmagentQueueReader } from './queue/file/vmagent-queue.ts';
import { writeWhole } from './queue/file/whole-file.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';

/** Blocks that are read ahead, so that the destination need not wait for the disk. */
const AHEAD = 4;
const NOTE_EVERY_MS = 1_000;
const NOTE = 'sluice-offset';
const TEXT_BYTES_MAX = 64 * 1024;

export interface TakeOverPorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The destination, as far as it matters here. */
export type TakeOverTarget = Pick<Outlet, 'name' | 'queue' | 'takenOver'>;

/**
 * Looks for the queue of a vmagent for this URL and begins to send it; the promise in the result resolves when that is
 * over, one way or another. Throws a SluiceError when the vmagent is running.
 */
export async function takeOverVmagent(
  target: TakeOverTarget,
  url: string,
  dataDirectory: string,
  ports: TakeOverPorts,
): Promise<{ readonly done: Promise<void> }> {
  const directory = await findVmagentQueue(ports.fs, dataDirectory, url);
  if (directory === undefined) return { done: Promise.resolve() };
  const holder = await flockHolder(path.join(directory, 'flock.lock'));
  if (holder !== undefined) {
    throw new SluiceError(
      'vmagent_runs',
      `cannot take over ${directory}: process ${holder}, probably a vmagent, is running on it; stop it first, or give another directory with -remoteWrite.tmpDataPath`,
    );
  }
  target.queue.ahead.hold(true);
  const done = new TakeOver(directory, target, ports)
    .run()
    .catch((error) => {
      const fields = { queue: directory, destination: target.name, error: messageOf(error) };
      ports.log.error(
        "vmagent's queue could not be taken over as a whole; the next start tries again",
        fields,
      );
    })
    .finally(() => target.queue.ahead.hold(false));
  return { done };
}

/** A block under way, and the offset behind it. */
interface Sent {
  readonly end: number;
  readonly hasEnded: Promise<boolean>;
}

class TakeOver {
  readonly #directory: string;
  readonly #target: TakeOverTarget;
  readonly #ports: TakeOverPorts;
  readonly #sent: Sent[] = [];
  #notedMs = Number.NEGATIVE_INFINITY;
  #blocks = 0;
  /** As vmagent left it. */
  #metainfo = '';

  constructor(directory: string, target: TakeOverTarget, ports: TakeOverPorts) {
    this.#directory = directory;
    this.#target = target;
    this.#ports = ports;
  }

  async run(): Promise<void> {
    const { fs, log } = this.#ports;
    const { takenOver } = this.#target;
    const from = { queue: this.#directory, destination: this.#target.name };
    this.#metainfo = await this.#textOf('metainfo.json');
    const reader = await VmagentQueueReader.open(fs, this.#directory, log, { from: await this.#noted() });
    const start = reader.offset;
    takenOver.pendingBytes = reader.pendingBytes;
    if (reader.pendingBytes > 0)
      log.info('sending what vmagent could not send, ahead of everything new', {
        ...from,
        bytes: reader.pendingBytes,
      });
    try {
      for (let bytes = await reader.next(); bytes !== undefined; bytes = await reader.next()) {
        if (this.#target.queue.ahead.isClosed) return;
        await this.#send(bytes, reader.offset);
        takenOver.pendingBytes = Math.max(0, reader.pendingBytes - (reader.offset - start));
        if (this.#sent.length >= AHEAD && !(await this.#settleFirst())) return;
      }
      while (this.#sent.length > 0) if (!(await this.#settleFirst())) return;
    } finally {
      await reader.close();
      takenOver.lostBytes += reader.lostBytes;
    }
    takenOver.pendingBytes = 0;
    await fs.rename(this.#directory, `${this.#directory}.taken-over`);
    log.info("vmagent's queue was taken over; its files are kept under another name until you delete them", {
      ...from,
      blocks: this.#blocks,
      ...takenOver,
      kept: `${this.#directory}.taken-over`,
    });
  }

  async #send(bytes: Uint8Array, end: number): Promise<void> {
    const { queue, takenOver, name } = this.#target;
    const codec: Codec = bytes[0] === 0x28 && bytes[1] === 0xb5 ? 'zstd' : 'snappy';
    const message = await readMessage({ codec, bytes, rawLength: 0 }).catch((error) => {
      const fields = { queue: this.#directory, destination: name, error: messageOf(error) };
      this.#ports.log.error('a block of vmagent cannot be read and is left out', fields);
    });
    if (message === undefined) {
      takenOver.unreadableBlocks++;
      takenOver.lostBytes += bytes.byteLength;
      return;
    }
    const { raw, counts } = message;
    const bornMs = this.#ports.clock.monotonicMs();
    const rawLength = raw.byteLength;
    const block = { seq: 0, codec, bytes, rawLength, counts, slots: ALL_SLOTS, bornMs, firstBody: 0 };
    queue.ledger.recover(counts);
    this.#blocks++;
    this.#sent.push({ end, hasEnded: queue.ahead.send(block) });
  }

  /** Waits for the oldest block under way; false when the relay stops before. */
  async #settleFirst(): Promise<boolean> {
    const { end, hasEnded } = this.#sent[0]!;
    if (!(await hasEnded)) return false;
    this.#sent.shift();
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs - this.#notedMs < NOTE_EVERY_MS) return true;
    this.#notedMs = nowMs;
    await this.#note(end).catch((error) => {
      const fields = { queue: this.#directory, error: messageOf(error) };
      this.#ports.log.warn(
        'cannot note how much of a vmagent queue was sent; the next start sends it again',
        fields,
      );
    });
    return true;
  }

  #note(offset: number): Promise<void> {
    const text = `${offset}\n${this.#metainfo}`;
    return writeWhole(this.#ports.fs, path.join(this.#directory, NOTE), [Buffer.from(text)]);
  }

  /**
   * What an earlier run has noted; 0 without. A vmagent that has run since has changed its metainfo.json, perhaps begun at 0
   * again: then the note means nothing any more.
   */
  async #noted(): Promise<number> {
    const [offset = '', ...metainfo] = (await this.#textOf(NOTE)).split('\n');
    return /^\d{1,16}$/.test(offset) && metainfo.join('\n') === this.#metainfo ? Number(offset) : 0;
  }

  /** Empty when it cannot be read. */
  async #textOf(name: string): Promise<string> {
    try {
      const file = await this.#ports.fs.open(path.join(this.#directory, name));
      try {
        const bytes = Buffer.alloc(TEXT_BYTES_MAX);
        return bytes.toString('utf8', 0, await file.read(bytes, 0));
      } finally {
        await file.close();
      }
    } catch {
      return '';
    }
  }
}
