/**
 * A file that holds 8 MiB of the disk, for the moment when it is full: then cursors, dead letters and what must be written
 * at the stop are what counts, and the file makes room for them. Until it is back, queues and journal write nothing, so
 * that they do not take the room; what waits stays in memory, as on any full disk.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { messageOf } from '../../util/error.ts';
import type { Logger } from '../../util/logger.ts';
import type { Meter } from '../../util/meter.ts';
import type { Fs, FsFile } from './fs.ts';

export const RESERVE_BYTES = 8 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** Contents of queues and journal, and what was damaged in them. */
const BULK = /\.(?:seg|bad)(?:\.tmp)?$/;

/** `missing`: there was no room for it at the start. `spent`: it was given up for something that had to be written. */
type State = 'missing' | 'kept' | 'spent';

export class Reserve {
  readonly #directory: string;
  readonly #file: string;
  readonly #fs: Fs;
  readonly #log: Logger;
  #state: State = 'missing';
  #isStopping = false;
  /** Making and giving up, one after another. */
  #turn: Promise<void> = Promise.resolve();
  #isBusy = false;

  constructor(directory: string, ports: { readonly fs: Fs; readonly log: Logger; readonly meter: Meter }) {
    this.#directory = directory;
    this.#file = path.join(directory, 'reserve');
    this.#fs = ports.fs;
    this.#log = ports.log;
    const help = '1 while the file that keeps room on the disk for cursors and dead letters is there.';
    ports.meter.gaugeOf('sluice_disk_reserve', help, {}, () => (this.#state === 'kept' ? 1 : 0));
  }

  /** Makes the file unless it is there; a disk without room for it is a warning. */
  async open(): Promise<void> {
    try {
      if (await this.#isThere()) this.#state = 'kept';
      else await this.#make();
    } catch (error) {
      this.#log.warn(
        'cannot make the file that keeps room for cursors and dead letters; it is tried again, give the disk more room',
        { file: this.#file, bytes: RESERVE_BYTES, error: messageOf(error) },
      );
    }
  }

  /** Makes the file again once there is room for it twice; call it regularly. */
  async maintain(): Promise<void> {
    if (this.#state === 'kept' || this.#isStopping || this.#isBusy) return;
    this.#isBusy = true;
    await this.#inTurn(async () => {
      if (this.#isStopping || (await this.#fs.room(this.#directory)) < 2 * RESERVE_BYTES) return;
      await this.#make();
      this.#log.info('the disk has room again', { file: this.#file });
    }).catch(() => {
      // Tried again at the next call.
    });
    this.#isBusy = false;
  }

  /** From now on everything may be written, and have this room. */
  stop(): void {
    this.#isStopping = true;
  }

  async #isThere(): Promise<boolean> {
    const names = await this.#fs.list(this.#directory);
    return names.includes('reserve') && (await this.#fs.size(this.#file)) === RESERVE_BYTES;
  }

  async #make(): Promise<void> {
    await this.#fs.unlink(this.#file).catch(() => {});
    const file = await this.#fs.create(this.#file);
    try {
      // Not zeros: some file systems take no room for them.
      const chunk = randomBytes(CHUNK_BYTES);
      for (let at = 0; at < RESERVE_BYTES; at += CHUNK_BYTES) await file.write([chunk], at);
      await file.sync();
      this.#state = 'kept';
    } catch (error) {
      await this.#fs.unlink(this.#file).catch(() => {});
      throw error;
    } finally {
      await file.close();
    }
  }

  #spend(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state !== 'kept') return;
      await this.#fs.unlink(this.#file);
      this.#state = 'spent';
      this.#log.error('the disk is full; the room kept for cursors and dead letters is used', {
        directory: this.#directory,
      });
    });
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** The file system for everything else in the directory. */
  get fs(): Fs {
    const fs = this.#fs;
    const kept = <T>(file: string, act: () => Promise<T>) => this.#write(file, act);
    const wrap = (name: string, file: FsFile): FsFile => ({
      write: (chunks, position) => kept(name, () => file.write(chunks, position)),
      read: (target, position) => file.read(target, position),
      sync: () => file.sync(),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    });
    return {
      ...fs,
      makeDirectory: (directory) => kept(directory, () => fs.makeDirectory(directory)),
      create: async (name) => wrap(name, await kept(name, () => fs.create(name))),
      open: async (name) => wrap(name, await fs.open(name)),
      rename: (from, to) => kept(to, () => fs.rename(from, to)),
    };
  }

  async #write<T>(file: string, act: () => Promise<T>): Promise<T> {
    const isBulk = BULK.test(file) && !this.#isStopping;
    if (isBulk && this.#state === 'spent') {
      throw Object.assign(new Error('the rest of the disk is kept for cursors and dead letters'), {
        code: 'ENOSPC',
      });
    }
    try {
      return await act();
    } catch (error) {
      if (isBulk || !isFull(error)) throw error;
      await this.#spend();
      return act();
    }
  }
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
