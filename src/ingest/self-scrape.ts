/** Puts the own metrics into the stream as a client would: same limits, same ledger. */
import { compress } from 'snappyjs';
import type { Intake } from '../model/body.ts';
import { remoteWriteType } from '../protocol/schema.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { type ExposedFamily, type ExposedSample, type Exposition, parseExposition } from './exposition.ts';

const LOG_EVERY_MS = 60_000;

export interface SelfScrapeSettings {
  /** 0: never. */
  readonly intervalMs: number;
  readonly job: string;
  readonly instance: string;
  readonly metadata: boolean;
}

export interface SelfScrapePorts {
  readonly metricsText: () => Promise<string>;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Logger;
}

export class SelfScrape {
  readonly #settings: SelfScrapeSettings;
  readonly #ports: SelfScrapePorts;
  #cancel: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isStopped = false;

  constructor(settings: SelfScrapeSettings, ports: SelfScrapePorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  start(): void {
    if (this.#settings.intervalMs > 0) this.#plan();
  }

  /** Resolves when a scrape that was under way is through. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#running;
  }

  /** One scrape now; never throws. */
  async scrape(): Promise<void> {
    const { metricsText, intake, clock, log } = this.#ports;
    try {
      const { job, instance, metadata } = this.#settings;
      const exposition = parseExposition(await metricsText());
      const bytes = encodeWriteRequest(exposition, { job, instance }, metadata, clock.nowMs());
      const verdict = await intake.submit({
        bytes: compress(bytes),
        encoding: 'snappy-or-zstd',
        protocol: 'promremotewrite',
        extraLabels: [],
        client: 'self',
      });
      if (!verdict.ok) throw new Error(verdict.error);
    } catch (error) {
      log
        .limited('self-scrape', LOG_EVERY_MS)
        .warn('cannot put the own metrics into the stream; the next interval tries again', {
          error: messageOf(error),
        });
    }
  }

  #plan(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#ports.clock.after(this.#settings.intervalMs, () => {
      this.#plan();
      // A scrape that takes longer than the interval, because the engine is busy, leaves the next one out.
      if (this.#isRunning) return;
      this.#isRunning = true;
      this.#running = this.scrape().finally(() => {
        this.#isRunning = false;
      });
    });
  }
}

/** `MetricType` of proto/remote.proto; types that it does not know are unknown (0). */
const metadataTypes: Readonly<Record<string, number>> = { counter: 1, gauge: 2, histogram: 3, summary: 5 };

/** A `WriteRequest`, labels in the order of their names as receivers ask for. */
export function encodeWriteRequest(
  { samples, families }: Exposition,
  target: { readonly job: string; readonly instance: string },
  metadata: boolean,
  timestampMs: number,
): Uint8Array {
  const type = remoteWriteType('WriteRequest');
  const added = Object.entries(target).map(([name, value]) => ({ name, value }));
  const message = type.create({
    timeseries: samples.map((sample) => seriesOf(sample, added, timestampMs)),
    metadata: metadata ? families.map(metadataOf) : [],
  });
  return type.encode(message).finish();
}

function seriesOf(
  { name, labels, value }: ExposedSample,
  added: readonly { name: string; value: string }[],
  timestamp: number,
) {
  const own = labels.filter((label) => !added.some((other) => other.name === label.name));
  const all = [{ name: '__name__', value: name }, ...own, ...added];
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { labels: all, samples: [{ value, timestamp }] };
}

function metadataOf({ name, type, help }: ExposedFamily) {
  return { type: metadataTypes[type] ?? 0, metricFamilyName: name, help };
}
