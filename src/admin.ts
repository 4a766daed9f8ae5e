/** What an administrator can do to a running relay, by the names of the admin socket's actions. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf as readMessage } from './destination/split.ts';
import type { Block, Codec } from './model/block.ts';
import { ALL_SLOTS } from './model/block.ts';
import type { Outlet } from './outlet.ts';
import { type Letter, readLetters } from './queue/dead-letters.ts';
import type { Fs } from './queue/file/fs.ts';
import { inspectLog } from './queue/file/inspect.ts';
import { SegmentLog } from './queue/file/log.ts';
import { findVmagentQueue, VmagentQueueReader } from './queue/file/vmagent-queue.ts';
import { blockOf } from './queue/record.ts';
import type { AdminActions } from './service/admin-server.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';
import { nearestName } from './util/names.ts';

const ORPHAN_SEGMENT_BYTES = 64 * 1024 * 1024;

export interface AdminPorts {
  readonly outlets: readonly Outlet[];
  readonly dataDirectory: string;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A queue directory that no destination owns: its name, and the bytes of its files. */
export interface Orphan {
  readonly name: string;
  readonly bytes: number;
}

type Input = Readonly<Record<string, unknown>>;

export class Admin {
  readonly #ports: AdminPorts;
  #orphans: Orphan[] = [];

  constructor(ports: AdminPorts) {
    this.#ports = ports;
  }

  get orphans(): readonly Orphan[] {
    const owned = new Set(this.#ports.outlets.map(({ name }) => name));
    return this.#orphans.filter(({ name }) => !owned.has(name));
  }

  get actions(): AdminActions {
    return {
      status: async () => this.#status(),
      pause: async (input) => this.#outletOf(input).pause(true),
      resume: async (input) => this.#outletOf(input).pause(false),
      purge: async (input) => this.#outletOf(input).queue.purge(),
      adopt: (input) => this.#adopt(textOf(input, 'from'), this.#targetOf(input)),
      copy: (input) => this.#copy(input, false),
      move: (input) => this.#copy(input, true),
      replay: (input) => this.#replay(input),
      forget: (input) => this.#forget(input),
    };
  }

  /** Looks for queues that no destination owns. They are kept until a command says what is to become of them. */
  async findOrphans(): Promise<void> {
    const { fs, outlets, log } = this.#ports;
    const owned = new Set(outlets.map(({ name }) => name));
    const names = (await fs.list(this.#queues)).filter((name) => !owned.has(name));
    this.#orphans = [];
    for (const name of names) {
      const directory = path.join(this.#queues, name);
      const segments = (await fs.list(directory).catch(() => [])).filter((file) => file.endsWith('.seg'));
      const sizes = await Promise.all(segments.map((file) => fs.size(path.join(directory, file))));
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      if (bytes > 0) this.#orphans.push({ name, bytes });
    }
    for (const { name, bytes } of this.#orphans) {
      log.warn('a queue in the data directory belongs to no destination; it is kept', {
        queue: name,
        bytes,
        hint: `send it with: sluice queue adopt ${name} DESTINATION; or delete it: sluice queue purge ${name}`,
      });
    }
  }

  get #queues(): string {
    return path.join(this.#ports.dataDirectory, 'queue');
  }

  #status() {
    return {
      destinations: this.#ports.outlets.map((outlet) => ({
        name: outlet.name,
        url: outlet.shownUrl,
        state: outlet.status().state,
        paused: outlet.isPaused,
        pendingBlocks: outlet.queue.pendingBlocks,
        pendingBytes: outlet.queue.pendingBytes,
        pendingSamples: outlet.queue.pendingCounts.samples,
        fileBytes: outlet.queue.unloadedBytes,
        oldestAgeSeconds: Math.round(outlet.queue.oldestAgeMs / 1000),
        deadLetters: outlet.deadLetters.count,
      })),
      orphans: this.orphans,
    };
  }

  #outletOf(input: Input): Outlet {
    const name = textOf(input, 'destination');
    const { outlets } = this.#ports;
    const outlet = outlets.find((candidate) => candidate.name === name);
    if (outlet !== undefined) return outlet;
    const names = outlets.map((candidate) => candidate.name);
    const nearest = nearestName(name, names);
    throw new SluiceError(
      'no_destination',
      `there is no destination ${JSON.stringify(name)}; ${nearest === undefined ? `there are ${names.join(', ')}` : `did you mean ${nearest}?`}`,
    );
  }

  #targetOf(input: Input): Outlet {
    const outlet = this.#outletOf(input);
    if (!outlet.isLeaving) return outlet;
    const message = `the destination ${outlet.name} is gone, and its queue is being emptied; choose another one`;
    throw new SluiceError('gone', message);
  }

  /** Sends what is in an orphaned queue to a destination, and removes the queue when all of it is there. */
  async #adopt(from: string, outlet: Outlet): Promise<{ blocks: number }> {
    const { fs, clock, log } = this.#ports;
    if (!this.orphans.some(({ name }) => name === from)) {
      throw new SluiceError('no_orphan', `there is no queue ${JSON.stringify(from)} without a destination`);
    }
    const directory = path.join(this.#queues, from);
    const { log: orphan } = await SegmentLog.open(
      { directory, segmentBytes: ORPHAN_SEGMENT_BYTES },
      { fs, clock, log },
    );
    let blocks = 0;
    for (let record = await orphan.next(); record !== undefined; record = await orphan.next()) {
      const { header, payload } = record;
      if (payload !== undefined) {
        await outlet.queue.adopt(blockOf(header, payload, clock));
        blocks++;
      }
      orphan.done(header.seq);
    }
    await outlet.queue.sync();
    await orphan.close();
    await rm(directory, { recursive: true });
    this.#orphans = this.#orphans.filter(({ name }) => name !== from);
    log.info('a queue without a destination was taken over', {
      queue: from,
      destination: outlet.name,
      blocks,
    });
    return { blocks };
  }

  /** What waits in one destination's queue goes to another one too, or instead; what is under way may arrive at both. */
  async #copy(input: Input, isMove: boolean): Promise<{ blocks: number }> {
    const { fs, clock } = this.#ports;
    const from = this.#outletOf({ destination: input.from });
    const to = this.#targetOf(input);
    if (from === to) throw new SluiceError('bad_input', 'both are the same destination');
    const wasPaused = from.isPaused;
    from.pause(true);
    try {
      await from.queue.sync();
      let blocks = 0;
      for await (const finding of inspectLog(fs, from.queue.config.directory)) {
        if (finding.kind !== 'record') continue;
        await to.queue.adopt(blockOf(finding.header, finding.payload, clock));
        blocks++;
      }
      await to.queue.sync();
      if (isMove) await from.queue.purge();
      return { blocks };
    } finally {
      from.pause(wasPaused);
    }
  }

  /** The backlog that a vmagent left for the same URL goes first; its directory is renamed when all of it is in the queue. */
  async takeOverVmagent(outlet: Outlet, url: string): Promise<void> {
    const { fs, log, dataDirectory } = this.#ports;
    const directory = await findVmagentQueue(fs, dataDirectory, url);
    if (directory === undefined) return;
    try {
      await this.#takeOver(directory, outlet);
    } catch (error) {
      const fields = { queue: directory, destination: outlet.name, error: messageOf(error) };
      log.error("vmagent's queue could not be taken over as a whole; the next start tries again", fields);
    }
  }

  async #takeOver(directory: string, outlet: Outlet): Promise<void> {
    const { fs, log, clock } = this.#ports;
    const reader = await VmagentQueueReader.open(fs, directory, log);
    const from = { queue: directory, destination: outlet.name };
    if (reader.pendingBytes > 0)
      log.info('taking over what vmagent could not send', { ...from, bytes: reader.pendingBytes });
    let blocks = 0;
    for (let bytes = await reader.next(); bytes !== undefined; bytes = await reader.next()) {
      const codec: Codec = bytes[0] === 0x28 && bytes[1] === 0xb5 ? 'zstd' : 'snappy';
      const message = await readMessage({ codec, bytes, rawLength: 0 }).catch((error) => {
        log.error('a block of vmagent cannot be read and is left out', { ...from, error: messageOf(error) });
      });
      if (message === undefined) continue;
      const { raw, counts } = message;
      const slots = ALL_SLOTS;
      const rawLength = raw.byteLength;
      const bornMs = clock.monotonicMs();
      await outlet.queue.adopt({ seq: 0, codec, bytes, rawLength, counts, slots, bornMs, firstBody: 0 });
      blocks++;
    }
    await reader.close();
    await outlet.queue.sync();
    await fs.rename(directory, `${directory}.taken-over`);
    log.info("vmagent's queue was taken over; its files are kept under another name until you delete them", {
      ...from,
      blocks,
      lostBytes: reader.lostBytes,
      kept: `${directory}.taken-over`,
    });
  }

  /** Sends dead letters again, to their destination or to another one; they leave the dead letters. */
  async #replay(input: Input): Promise<{ letters: number }> {
    const outlet = this.#outletOf(input);
    const target = this.#targetOf({ destination: input.to ?? outlet.name });
    const ids: string[] = [];
    for await (const { id, info, block } of this.#lettersOf(outlet, input.id)) {
      const { codec, rawLength, counts } = info;
      const bornMs = this.#ports.clock.monotonicMs();
      const again: Block = {
        seq: 0,
        codec,
        bytes: block,
        rawLength,
        counts,
        slots: ALL_SLOTS,
        bornMs,
        firstBody: 0,
      };
      await target.queue.adopt(again);
      ids.push(id);
    }
    // Only now are they safe elsewhere.
    await target.queue.sync();
    for (const id of ids) await outlet.deadLetters.remove(id);
    return { letters: ids.length };
  }

  async #forget(input: Input): Promise<{ letters: number }> {
    const outlet = this.#outletOf(input);
    let letters = 0;
    for await (const { id } of this.#lettersOf(outlet, input.id)) {
      await outlet.deadLetters.remove(id);
      letters++;
    }
    return { letters };
  }

  async *#lettersOf(outlet: Outlet, id: unknown): AsyncGenerator<Letter> {
    const { fs, log } = this.#ports;
    const onDamaged = (file: string, error: string) =>
      log.error('a dead letter cannot be read', { file, error });
    for await (const letter of readLetters(fs, outlet.deadLetters.directory, onDamaged)) {
      if (id === undefined || id === letter.id) yield letter;
    }
  }
}

function textOf(input: Input, name: string): string {
  const value = input[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new SluiceError('bad_input', `${name} is missing`);
}
