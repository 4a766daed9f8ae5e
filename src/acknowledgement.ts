/** What `-remoteWrite.ack` promises: the journal between the engine and the queues. Without a promise there is none. */
import path from 'node:path';
import type { EnginePool } from './engine/pool.ts';
import type { Accepted } from './engine/pool-ports.ts';
import type { Counts } from './model/body.ts';
import type { Outlet } from './outlet.ts';
import { writeWhole } from './queue/file/whole-file.ts';
import { Journal, type JournalPorts, type ReplayedEntry } from './queue/journal.ts';
import { registerJournalMetrics } from './queue/journal-metrics.ts';
import { assert } from './util/assert.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Meter } from './util/meter.ts';

export interface AcknowledgementConfig {
  readonly promise: 'memory' | 'written' | 'synced';
  readonly dataDirectory: string;
  readonly journalBytesMax: number;
}

export interface AcknowledgementPorts extends JournalPorts {
  readonly meter: Meter;
  /** Refused at the replay, and kept in the quarantine directory: for the ledgers. */
  readonly onRefused: (counts: Readonly<Counts>) => void;
}

export class Acknowledgement {
  readonly #config: AcknowledgementConfig;
  readonly #ports: AcknowledgementPorts;
  #journal: Journal | undefined;

  constructor(config: AcknowledgementConfig, ports: AcknowledgementPorts) {
    this.#config = config;
    this.#ports = ports;
  }

  /** Whether nothing more can be promised. */
  get full(): boolean {
    return this.#config.promise !== 'memory' && this.#journal?.full === true;
  }

  /** Whether requests are kept until what was made of them is safe. */
  get isKept(): boolean {
    return this.#config.promise !== 'memory';
  }

  /** For the engine: keeps an accepted request before its answer. Undefined when a 204 promises memory only. */
  get commit(): ((accepted: Accepted) => Promise<void>) | undefined {
    if (this.#config.promise === 'memory') return undefined;
    return (accepted) => {
      assert(this.#journal !== undefined, 'the journal is open when requests come');
      return this.#journal.append(accepted);
    };
  }

  /** Takes up the journal; one that a run with another promise left, too. */
  async open(): Promise<void> {
    const { promise, dataDirectory, journalBytesMax: bytesMax } = this.#config;
    const directory = path.join(dataDirectory, 'journal');
    const isLeft = (await this.#ports.fs.list(directory)).some((name) => name.endsWith('.seg'));
    if (promise === 'memory' && !isLeft) return;
    this.#journal = await Journal.open({ directory, bytesMax, synced: promise === 'synced' }, this.#ports);
    registerJournalMetrics(this.#ports.meter, this.#journal);
  }

  /**
   * Takes the requests of a run that was killed through the engine, ahead of everything new. Aggregation has the samples of
   * those up to `takenSeq` already. What the engine refuses now is
   * kept in the quarantine directory, for it was acknowledged; throws a SluiceError when it cannot be kept.
   */
  async replay(engine: EnginePool, takenSeq = 0): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    const judged: Promise<void>[] = [];
    let failure: unknown;
    for (let entry = await journal.nextReplay(); entry !== undefined; entry = await journal.nextReplay()) {
      const body = { ...entry.format, bytes: entry.bytes, client: 'journal' };
      const isTaken = entry.seq <= takenSeq;
      const { arrivedMs } = entry;
      const { id, verdict } = engine.replay(body, { origin: 'journal', arrivedMs, isTaken });
      journal.replayed(entry.seq, id);
      const request = entry;
      const settled = verdict.then(async (given) => {
        if (!given.ok) await this.#keepRefused(request, given.error);
      });
      judged.push(
        settled.catch((error) => {
          failure ??= error;
        }),
      );
      if (!engine.hasRoom) await verdict;
    }
    await Promise.all(judged);
    if (failure !== undefined) throw failure;
  }

  async #keepRefused({ seq, format, bytes, counts }: ReplayedEntry, error: string): Promise<void> {
    const { fs, clock, log, onRefused } = this.#ports;
    const time = new Date(clock.nowMs()).toISOString().replaceAll(':', '-');
    const file = path.join(this.#config.dataDirectory, 'quarantine', `${time}-journal-${seq}.body`);
    try {
      await writeWhole(fs, file, [bytes]);
    } catch (cause) {
      throw new SluiceError(
        'journal_refused',
        `cannot keep a request of the journal, which is refused now, at ${file}: ${messageOf(cause)}; give the disk room, or change back what made it refused (${error})`,
        { cause },
      );
    }
    onRefused(counts);
    log.error('a request of the journal, acknowledged by an earlier run, is refused now; it is kept', {
      error,
      file,
      samples: counts.samples,
      ...format,
    });
  }

  /** Gives back what is safe elsewhere, and before `aggregated` in a file; call it regularly. */
  release(
    engine: EnginePool | undefined,
    outlets: readonly Outlet[],
    aggregated = Number.POSITIVE_INFINITY,
  ): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    // A queue without a file may keep its requests here until that would stop the others.
    const counted = outlets.filter(({ queue }) => queue.config.onDisk || !journal.full);
    const firsts = [aggregated, engine?.firstHeld, ...counted.map(({ queue }) => queue.firstUnsafeBody)];
    journal.release(Math.min(...firsts.map((first) => first ?? Number.POSITIVE_INFINITY)));
  }

  /** The last record of the requests up to `id`; undefined while one of them is being written, 0 without a journal. */
  seqUpTo(id: number): number | undefined {
    return this.#journal === undefined ? 0 : this.#journal.seqUpTo(id);
  }

  /** Never rejects: what is safe elsewhere and still in the journal is sent again, and the rest is what it is for. */
  async close(): Promise<void> {
    await this.#journal?.close().catch((error) => {
      const fields = { error: messageOf(error) };
      this.#ports.log.error('cannot close the journal; the next start may send again what it holds', fields);
    });
  }
}
