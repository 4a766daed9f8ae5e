/** What `-remoteWrite.ack` promises: the journal between the engine and the queues. Without a promise there is none. */
import path from 'node:path';
import type { Accepted, EnginePool } from './engine/pool.ts';
import type { Verdict } from './model/body.ts';
import type { Outlet } from './outlet.ts';
import { Journal, type JournalPorts } from './queue/journal.ts';
import { registerJournalMetrics } from './queue/journal-metrics.ts';
import { assert } from './util/assert.ts';
import type { Meter } from './util/meter.ts';

export interface AcknowledgementConfig {
  readonly promise: 'memory' | 'written' | 'synced';
  readonly dataDirectory: string;
  readonly journalBytesMax: number;
}

export class Acknowledgement {
  readonly #config: AcknowledgementConfig;
  readonly #ports: JournalPorts & { readonly meter: Meter };
  #journal: Journal | undefined;

  constructor(config: AcknowledgementConfig, ports: JournalPorts & { readonly meter: Meter }) {
    this.#config = config;
    this.#ports = ports;
  }

  /** Whether nothing more can be promised. */
  get full(): boolean {
    return this.#config.promise !== 'memory' && this.#journal?.full === true;
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

  /** Takes the requests of a run that was killed through the engine, ahead of everything new. */
  async replay(engine: EnginePool): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    const verdicts: Promise<Verdict>[] = [];
    for (let entry = await journal.nextReplay(); entry !== undefined; entry = await journal.nextReplay()) {
      const { id, verdict } = engine.replay(
        { ...entry.format, bytes: entry.bytes, client: 'journal' },
        'journal',
      );
      journal.replayed(entry.seq, id);
      verdicts.push(verdict);
      if (!engine.hasRoom) await verdict;
    }
    await Promise.all(verdicts);
  }

  /** Gives back what is safe elsewhere; call it regularly. */
  release(engine: EnginePool | undefined, outlets: readonly Outlet[]): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    // A queue without a file may keep its requests here until that would stop the others.
    const counted = outlets.filter(({ queue }) => queue.config.onDisk || !journal.full);
    const firsts = [engine?.firstHeld, ...counted.map(({ queue }) => queue.firstUnsafeBody)];
    journal.release(Math.min(...firsts.map((first) => first ?? Number.POSITIVE_INFINITY)));
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }
}
