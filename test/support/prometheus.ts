/** A real Prometheus: as a source it scrapes and writes to the daemon with its own defaults, as a destination it receives. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { metricSum, parseMetrics, type Sample } from './metrics.ts';
import { freePort, startProgram } from './process.ts';
import { program } from './programs.ts';
import { bitsOf, type Labels } from './remote-write.ts';
import { SampleStore } from './samples.ts';

interface QueryResponse {
  readonly data: { readonly result: readonly { metric: Labels; values?: readonly [number, string][] }[] };
}

export interface PrometheusSpec {
  readonly directory: string;
  readonly remoteWriteUrl?: string;
  /** Job name → host:port; scraped every second. */
  readonly targets?: Readonly<Record<string, string>>;
  /** Whether it takes remote write. */
  readonly receives?: boolean;
  /** Whether it scrapes its own metrics as well. */
  readonly scrapesItself?: boolean;
  /** More settings of its remote write. */
  readonly remoteWrite?: Readonly<Record<string, unknown>>;
  /** Of `--enable-feature`. */
  readonly features?: readonly string[];
}

function configOf(
  { remoteWriteUrl, targets = {}, remoteWrite, scrapesItself }: PrometheusSpec,
  port: number,
  isScraping: boolean,
): string {
  const all = { ...targets, ...(scrapesItself && { prometheus: `127.0.0.1:${port}` }) };
  // JSON is YAML; the remote write has its defaults.
  return JSON.stringify({
    global: { scrape_interval: '1s' },
    scrape_configs: Object.entries(all).map(([job, target]) => ({
      job_name: job,
      static_configs: [{ targets: isScraping ? [target] : [] }],
    })),
    remote_write: remoteWriteUrl === undefined ? [] : [{ url: remoteWriteUrl, ...remoteWrite }],
  });
}

export class Prometheus {
  readonly #spec: PrometheusSpec;
  readonly #configFile: string;
  readonly #port: number;
  readonly url: string;

  private constructor(spec: PrometheusSpec, port: number) {
    this.#spec = spec;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#configFile = join(spec.directory, 'prometheus.yml');
  }

  static async start(t: TestContext, spec: PrometheusSpec): Promise<Prometheus> {
    const port = await freePort();
    const instance = new Prometheus(spec, port);
    writeFileSync(instance.#configFile, configOf(spec, port, true));
    await startProgram(t, {
      name: 'prometheus',
      command: program('prometheus'),
      args: [
        `--config.file=${instance.#configFile}`,
        `--storage.tsdb.path=${join(spec.directory, 'prometheus')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-lifecycle',
        ...(spec.receives ? ['--web.enable-remote-write-receiver'] : []),
        ...(spec.features === undefined ? [] : [`--enable-feature=${spec.features.join()}`]),
        '--log.level=warn',
      ],
      readyUrl: `${instance.url}/-/ready`,
    });
    return instance;
  }

  get writeUrl(): string {
    return `${this.url}/api/v1/write`;
  }

  /**
   * No more scrapes: every series ends with a stale marker and nothing new comes. The jobs stay, without targets:
   * Prometheus writes no stale markers for a job that is removed.
   */
  async stopScraping(): Promise<void> {
    writeFileSync(this.#configFile, configOf(this.#spec, this.#port, false));
    const response = await fetch(`${this.url}/-/reload`, { method: 'POST' });
    if (!response.ok) throw new Error(`reload answered ${response.status}: ${await response.text()}`);
  }

  async metrics(): Promise<Sample[]> {
    return parseMetrics(await (await fetch(`${this.url}/metrics`)).text());
  }

  /** Samples that its remote write has read from the WAL and has not yet been rid of. */
  async pendingSamples(): Promise<number | undefined> {
    return metricSum(await this.metrics(), 'prometheus_remote_storage_samples_pending');
  }

  /** The data of an answer of its API. */
  async api(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { data: unknown }).data;
  }

  /** Everything it has stored in the last hour; a range selector leaves stale markers out. */
  async samples(): Promise<SampleStore> {
    const response = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: '{__name__=~".+"}[1h]' }),
    });
    if (!response.ok) throw new Error(`query answered ${response.status}: ${await response.text()}`);
    const store = new SampleStore();
    for (const { metric, values = [] } of ((await response.json()) as QueryResponse).data.result) {
      for (const [seconds, text] of values) {
        const value = Number(text.replace('Inf', 'Infinity'));
        store.add(metric, Math.round(seconds * 1000), bitsOf(value));
      }
    }
    return store;
  }
}
