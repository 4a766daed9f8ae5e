/** A real VictoriaMetrics as destination. It can be stopped and started again on the same port and data. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, type RunningProgram, startProgram } from './process.ts';
import { program } from './programs.ts';
import { bitsOf, type Labels } from './remote-write.ts';
import { SampleStore } from './samples.ts';

interface ExportedSeries {
  readonly metric: Labels;
  readonly values: readonly (number | string | null)[];
  readonly timestamps: readonly number[];
}

/** JSON has no NaN and no infinities: `/api/v1/export` writes null and strings. */
function numberOf(exported: number | string | null): number {
  return exported === null ? Number.NaN : Number(exported);
}

export class VictoriaMetrics {
  readonly #t: TestContext;
  readonly #args: readonly string[];
  readonly url: string;
  #program: RunningProgram | undefined;

  constructor(t: TestContext, directory: string, port: number) {
    this.#t = t;
    this.url = `http://127.0.0.1:${port}`;
    this.#args = [
      `-storageDataPath=${join(directory, `victoria-metrics-${port}`)}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=10y',
      '-loggerLevel=WARN',
    ];
  }

  static async start(t: TestContext, directory: string): Promise<VictoriaMetrics> {
    const instance = new VictoriaMetrics(t, directory, await freePort());
    await instance.start();
    return instance;
  }

  get writeUrl(): string {
    return `${this.url}/api/v1/write`;
  }

  async start(): Promise<void> {
    this.#program = await startProgram(this.#t, {
      name: 'victoria-metrics',
      command: program('victoria-metrics'),
      args: this.#args,
      readyUrl: `${this.url}/health`,
    });
  }

  async stop(): Promise<void> {
    await this.#program!.kill('SIGTERM');
  }

  /** Everything it has stored, searchable or not yet. */
  async export(): Promise<SampleStore> {
    await fetch(`${this.url}/internal/force_flush`);
    const query = new URLSearchParams({ 'match[]': '{__name__!=""}', start: '0', end: '4102444800' });
    const response = await fetch(`${this.url}/api/v1/export?${query}`);
    if (!response.ok) throw new Error(`export answered ${response.status}: ${await response.text()}`);
    const store = new SampleStore();
    for (const line of (await response.text()).split('\n')) {
      if (line === '') continue;
      const { metric, values, timestamps } = JSON.parse(line) as ExportedSeries;
      timestamps.forEach((timestampMs, index) => {
        store.add(metric, timestampMs, bitsOf(numberOf(values[index]!)));
      });
    }
    return store;
  }
}
