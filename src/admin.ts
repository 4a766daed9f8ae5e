/** What an administrator can do to a running relay, by the names of the admin socket's actions. */
import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Explain } from './explainer.ts';
import type { Block } from './model/block.ts';
import { ALL_SLOTS } from './model/block.ts';
import type { Outlet } from './outlet.ts';
import { BlockFile } from './queue/block-file.ts';
import { type Letter, readLetters } from './queue/dead-letters.ts';
import type { Fs } from './queue/file/fs.ts';
import type { AdminActions } from './service/admin-server.ts';
import type { Clock } from './util/clock.ts';
import { SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';
import { nearestName } from './util/names.ts';

/** Of a queue that is taken over: as much is taken twice when that is interrupted. */
const SAFE_EVERY_BYTES = 32 * 1024 * 1024;

export interface AdminPorts {
  readonly outlets: readonly Outlet[];
  /** Names of queues that an adoption or a destination that comes and goes has in hand. */
  readonly queuesInHand: Set<string>;
  readonly dataDirectory: string;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
  /** By the rules and shards in force. */
  readonly explainer: () => Explain;
  /** Some of the series that came lately. */
  readonly lately: () => Promise<readonly string[]>;
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
      explain: (input) => this.#explain(input),
    };
  }

  /** What happens to these series, or to some that came lately. */
  async #explain({ series }: Input): Promise<unknown> {
    const texts = Array.isArray(series) ? series.map(String) : await this.#ports.lately();
    const explain = this.#ports.explainer();
    return texts.flatMap((text) => {
      const explained = explain(text);
      if (typeof explained === 'string') return [];
      const outcome = explained.destinations.map(({ name, form }) => [
        name,
        form?.labels?.toString() ?? null,
      ]);
      return [{ series: text, destinations: Object.fromEntries(outcome) }];
    });
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
  async #adopt(from: string, outlet: Outlet): Promise<{ blocks: number; damaged: number }> {
    const { queuesInHand } = this.#ports;
    const orphan = this.orphans.find(({ name }) => name === from);
    if (orphan === undefined || queuesInHand.has(from)) {
      throw new SluiceError('no_orphan', `there is no queue ${JSON.stringify(from)} without a destination`);
    }
    queuesInHand.add(from);
    this.#orphans = this.#orphans.filter((other) => other !== orphan);
    try {
      const directory = path.join(this.#queues, from);
      const taken = await this.#empty(directory, outlet);
      const kept = await removeQueue(directory);
      this.#ports.log.info('a queue without a destination was taken over', {
        queue: from,
        destination: outlet.name,
        ...taken,
        ...(kept && { kept: directory }),
      });
      return taken;
    } catch (error) {
      this.#orphans = [...this.#orphans, orphan];
      throw error;
    } finally {
      queuesInHand.delete(from);
    }
  }

  /** Takes everything out of a queue; one that is interrupted goes on where it was. */
  async #empty(directory: string, outlet: Outlet): Promise<{ blocks: number; damaged: number }> {
    const file = await BlockFile.open(directory, this.#ports);
    const { queue } = outlet;
    const taken = { blocks: 0, damaged: 0 };
    let unsafe: number[] = [];
    let unsafeBytes = 0;
    const makeSafe = async () => {
      await queue.sync();
      for (const seq of unsafe) file.log.done(seq);
      unsafe = [];
      unsafeBytes = 0;
      await file.log.checkpoint();
    };
    try {
      for (let record = await file.log.next(); record !== undefined; record = await file.log.next()) {
        const { header, payload } = record;
        if (payload === undefined) {
          queue.ledger.recover(header.counts);
          queue.ledger.end('damaged', header.counts);
          taken.damaged++;
        } else {
          await queue.adopt(file.blockOf(header, payload));
          taken.blocks++;
        }
        unsafe.push(header.seq);
        unsafeBytes += header.payloadLength;
        if (unsafeBytes >= SAFE_EVERY_BYTES) await makeSafe();
      }
      await makeSafe();
    } finally {
      await file.log.close();
    }
    return taken;
  }

  /** What waits in one destination's queue goes to another one too, or instead; what is under way may arrive at both. */
  async #copy(input: Input, isMove: boolean): Promise<{ blocks: number }> {
    const from = this.#outletOf({ destination: input.from });
    const to = this.#targetOf(input);
    if (from === to) throw new SluiceError('bad_input', 'both are the same destination');
    return { blocks: await from.queue.copyTo(to.queue, isMove) };
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

/** Removes a queue's files but for what was damaged in it; tells whether there is such. */
async function removeQueue(directory: string): Promise<boolean> {
  const names = await readdir(directory);
  const kept = names.filter((name) => name.endsWith('.bad'));
  for (const name of names)
    if (!kept.includes(name)) await rm(path.join(directory, name), { recursive: true });
  if (kept.length === 0) await rmdir(directory);
  return kept.length > 0;
}
