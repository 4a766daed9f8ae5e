/**
 * Stream aggregation and deduplication in the real daemon: beside the real vmagent with the same input, over stops and kills
 * at any point of a window, and over reloads.
 */
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../src/util/clock.ts';
import { assertRestartsChangeNothing } from '../support/aggregation-restarts.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import {
  bitsOf,
  type Point,
  push,
  type Series,
  STALE_MARKER_BITS,
  seriesKey,
  valueOfBits,
} from '../support/remote-write.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { type RunningSluice, runSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const WITHIN_MS = 30_000;

function rulesFile(t: TestContext, rules: string): string {
  const file = path.join(temporaryDirectory(t), 'rules.yaml');
  writeFileSync(file, rules);
  return file;
}

async function pushTo(url: string, series: readonly Series[]): Promise<void> {
  const { status, text } = await push(`${url}/api/v1/write`, series);
  assert.equal(status, 204, text);
}

/** Every sample that arrived: `series key @ timestamp` → the values, as often as they came. */
function arrived(sink: Sink): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { decoded } of sink.requests) {
    for (const { labels, points } of decoded.series) {
      for (const { timestampMs, bits } of points) {
        const key = `${seriesKey(labels)} @ ${timestampMs}`;
        found.set(key, [...(found.get(key) ?? []), valueOfBits(bits)]);
      }
    }
  }
  return found;
}

/** Where it listens. */
async function startVmagent(t: TestContext, flags: readonly string[]): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
      '-remoteWrite.forcePromProto',
      ...flags,
    ],
    readyUrl: `${url}/health`,
  });
  return url;
}

async function balanced(sluice: RunningSluice): Promise<void> {
  await until('the ledger balances', WITHIN_MS, async () => {
    const ledger = assertLedgerBalances(await sluice.metrics());
    return Object.values(ledger.destinations).every(
      ({ pending, in_engine }) => pending === 0 && in_engine === 0,
    );
  });
}

const OUTPUTS = [
  'avg',
  'count_samples',
  'count_series',
  'histogram_bucket',
  'increase',
  'increase_prometheus',
  'last',
  'max',
  'min',
  'quantiles(0, 0.5, 1)',
  'rate_avg',
  'rate_sum',
  'stddev',
  'stdvar',
  'sum_samples',
  'total',
  'total_prometheus',
  'unique_samples',
];
const INTERVAL_MS = 4_000;
/** Clocks and answers of two processes. */
const MARGIN_MS = 200;
const ATTEMPTS_MAX = 12;

/** Pushes a sample of 1 after another; what is told of them has to add up. */
class Pusher {
  samples = 0;
  #run = 0;

  async push(url: string, count: number): Promise<void> {
    this.#run++;
    for (let nth = 0; nth < count; nth++) {
      const points = [{ timestampMs: systemClock.nowMs(), bits: bitsOf(1) }];
      const series = [0, 1].map((pod) => ({
        labels: { __name__: 'ones', pod: `${pod}`, run: `${this.#run}` },
        points,
      }));
      await pushTo(url, series);
      this.samples += 2;
    }
  }
}

/** The sum of what was told, each window once; and windows that were told more than once, with what was told. */
function sumOf(sink: Sink): { sum: number; repeated: number[][] } {
  const told = [...arrived(sink)].filter(([key]) => key.includes('ones:1s_by_job_sum_samples'));
  return {
    sum: told.reduce((sum, [, values]) => sum + values[0]!, 0),
    repeated: told.map(([, values]) => values).filter((values) => values.length > 1),
  };
}

const ONES = `
- match: ones
  interval: 1s
  by: [job]
  outputs: [sum_samples]
`;

// They mostly wait for windows to end.
describe('in the real daemon', { concurrency: 3 }, () => {
  test('the same input gives the same outputs as vmagent', {
    skip: missingPrograms('vmagent'),
  }, async (t) => {
    const rules = rulesFile(
      t,
      `
- match: '{__name__=~"m|n|beat"}'
  interval: ${INTERVAL_MS / 1000}s
  by: [job]
  staleness_interval: ${(2 * INTERVAL_MS) / 1000}s
  ignore_first_sample_interval: 0s
  outputs: [${OUTPUTS.map((output) => JSON.stringify(output)).join(', ')}]
  output_relabel_configs:
  - target_label: rule
    replacement: one
- match: '{__name__=~"m|beat"}'
  interval: ${INTERVAL_MS / 1000}s
  without: [pod]
  dedup_interval: ${INTERVAL_MS / 2000}s
  input_relabel_configs:
  - action: drop
    source_labels: [job]
    regex: c-.*
  outputs: [sum_samples, count_samples]
`,
    );
    const flags = [`-streamAggr.config=${rules}`, '-remoteWrite.flushInterval=100ms'];
    const sinks = [await startSink(t), await startSink(t)] as const;
    const sluice = await startSluice(t, temporaryDirectory(t), [
      `-remoteWrite.url=${sinks[0].url}`,
      ...flags,
    ]);
    const vmagentUrl = await startVmagent(t, [`-remoteWrite.url=${sinks[1].url}`, ...flags]);
    const both = (series: readonly Series[]) =>
      Promise.all([pushTo(sluice.url, series), pushTo(vmagentUrl, series)]);
    /** Of a window: what a sink was told of series that are the test's, by `wanted`. */
    const told = (sink: Sink, endMs: number, wanted: string) =>
      [...arrived(sink)]
        .filter(([key]) => key.endsWith(` @ ${endMs}`) && key.includes(wanted))
        .map(([key, values]) => [key, values.map((value) => Number(value.toPrecision(12)))] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1));
    // Three quantiles, and one bucket; no rates where there is only one sample.
    const BEATS = [
      ['"beat:4s_by_job_', OUTPUTS.length + 2],
      ['"beat:4s_without_pod_', 2],
    ] as const;
    /** Whether both have told all outputs of all rules for a window: what comes now is in the next one of both. */
    const haveEnded = (endMs: number) =>
      sinks.every((sink) => BEATS.every(([name, count]) => told(sink, endMs, name).length === count));
    /** Series of one job each, as no attempt before had them. */
    const seriesOf = (attempt: number, round: number, beginMs: number) =>
      ['a', 'a', 'b', 'c'].flatMap((job, nth) =>
        ['m', 'n'].map((name) => ({
          labels: { __name__: name, job: `${job}-${attempt}`, pod: `${nth}` },
          points: [0, 1, 2].map((step): Point => {
            const value = 10 * round * (nth + 1) + step * 1.5 + nth - (nth === 2 && round === 1 ? 15 : 0);
            return {
              timestampMs: beginMs + step * 10,
              bits: step === 1 && nth === 3 ? STALE_MARKER_BITS : bitsOf(value),
            };
          }),
        })),
      );
    /** The next window that both have begun, told by their outputs of the one before; its beginning. */
    const nextWindow = (after: number) =>
      until('both have told a window', 10 * INTERVAL_MS, async () => {
        const nowMs = systemClock.nowMs();
        await both([
          {
            labels: { __name__: 'beat', job: 'beat', pod: '0' },
            points: [{ timestampMs: nowMs, bits: bitsOf(1) }],
          },
        ]);
        const beginMs = Math.floor(systemClock.nowMs() / INTERVAL_MS) * INTERVAL_MS;
        return beginMs > after && haveEnded(beginMs) && beginMs;
      });
    /** Windows in a row, whose samples came in their first half, before anything is deduplicated; undefined if one was late. */
    const tryRounds = async (attempt: number): Promise<number[] | undefined> => {
      const ends: number[] = [];
      for (let round = 0; round < 3; round++) {
        const beginMs = await nextWindow(ends.at(-1) === undefined ? 0 : ends.at(-1)! - 1);
        if (round > 0 && beginMs !== ends.at(-1)) return undefined;
        ends.push(beginMs + INTERVAL_MS);
        await both(seriesOf(attempt, round, beginMs));
        if (systemClock.nowMs() > beginMs + INTERVAL_MS / 2 - MARGIN_MS) return undefined;
      }
      return ends;
    };
    let ends: number[] | undefined;
    let attempt = 0;
    // On a machine that stops for seconds, the two see samples in different windows: that is nothing to compare.
    for (; ends === undefined && attempt < ATTEMPTS_MAX; attempt++) ends = await tryRounds(attempt);
    assert.ok(ends !== undefined, `in ${ATTEMPTS_MAX} attempts the machine was never on time`);
    await nextWindow(ends.at(-1)! - 1);
    const wanted = `-${attempt - 1}"`;
    for (const endMs of ends) {
      const [own, theirs] = sinks.map((sink) => told(sink, endMs, wanted));
      assert.deepEqual(own, theirs);
      // Three jobs of two metrics for the first rule, two jobs for the second.
      assert.ok(own!.length > 6 * OUTPUTS.length, 'all outputs are told for all groups');
      assert.equal(own!.filter(([key]) => key.includes('_without_pod_')).length, 4);
    }
    await balanced(sluice);
  });

  test('deduplication keeps the samples that vmagent keeps, bit for bit', {
    skip: missingPrograms('vmagent'),
  }, async (t) => {
    const sinks = [await startSink(t), await startSink(t)] as const;
    const flags = [
      '-streamAggr.dedupInterval=1s',
      '-streamAggr.dropInputLabels=replica',
      '-remoteWrite.flushInterval=100ms',
    ];
    const sluice = await startSluice(t, temporaryDirectory(t), [
      `-remoteWrite.url=${sinks[0].url}`,
      ...flags,
    ]);
    const vmagentUrl = await startVmagent(t, [`-remoteWrite.url=${sinks[1].url}`, ...flags]);
    const T = 1_790_000_000_000;
    const NAN = 0x7ff8_0000_0000_0001n;
    const cases: readonly (readonly (readonly [at: number, bits: bigint])[])[] = [
      [
        [1, bitsOf(1)],
        [2, bitsOf(0)],
      ],
      [
        [2, bitsOf(1)],
        [1, bitsOf(9)],
      ],
      [
        [1, bitsOf(1)],
        [1, bitsOf(2)],
        [1, bitsOf(-1)],
      ],
      [
        [1, bitsOf(1)],
        [1, STALE_MARKER_BITS],
      ],
      [
        [1, STALE_MARKER_BITS],
        [1, bitsOf(-5)],
      ],
      [
        [1, bitsOf(3)],
        [2, STALE_MARKER_BITS],
      ],
      [
        [1, NAN],
        [1, bitsOf(4)],
      ],
      [
        [1, bitsOf(4)],
        [1, NAN],
      ],
      [
        [1, STALE_MARKER_BITS],
        [1, NAN],
      ],
    ];
    const series = cases.flatMap((points, index) =>
      points.map(([at, bits], nth) => ({
        labels: { z: 'last', __name__: 'm', case: `${index}`, replica: `${nth}` },
        points: [{ timestampMs: T + at, bits }],
      })),
    );
    await Promise.all([pushTo(sluice.url, series), pushTo(vmagentUrl, series)]);
    const kept = (sink: Sink) =>
      sink.requests.flatMap(({ decoded }) =>
        decoded.series.flatMap(({ labels, points }) =>
          points.map(
            ({ timestampMs, bits }) => `${JSON.stringify(labels)} ${bits.toString(16)}@${timestampMs - T}`,
          ),
        ),
      );
    for (const sink of sinks)
      await until('all are there', WITHIN_MS, () => kept(sink).length === cases.length);
    assert.deepEqual(kept(sinks[0]).toSorted(), kept(sinks[1]).toSorted());
    await balanced(sluice);
    const samples = await sluice.metrics();
    const of = (name: string) => metricSum(samples, `${name}`, { name: 'dedup' });
    assert.equal(of('sluice_streamaggr_dedup_received_samples_total'), series.length);
    assert.equal(of('vm_streamaggr_dedup_dropped_samples_total'), series.length - cases.length);
    assert.equal(of('sluice_streamaggr_dedup_emitted_samples_total'), cases.length);
    assert.equal(of('vm_streamaggr_dedup_state_items_count'), 0);
  });

  test('stops at any point of a window change nothing: what is told adds up to what was sent', async (t) => {
    const sink = await startSink(t);
    const directory = temporaryDirectory(t);
    const flags = [
      `-remoteWrite.url=${sink.url}`,
      `-streamAggr.config=${rulesFile(t, ONES)}`,
      '-remoteWrite.flushInterval=50ms',
    ];
    const pusher = new Pusher();
    for (let stop = 0; stop < 5; stop++) {
      const sluice = await startSluice(t, directory, flags);
      // Each takes another part of a window.
      await pusher.push(sluice.url, 5 + ((stop * 7) % 4) * 30);
      await balanced(sluice);
      assert.equal((await sluice.program.kill('SIGTERM')).code, 0);
    }
    const sluice = await startSluice(t, directory, flags);
    await until('everything is told', WITHIN_MS, () => sumOf(sink).sum >= pusher.samples);
    assert.deepEqual(sumOf(sink), { sum: pusher.samples, repeated: [] });
    await balanced(sluice);
  });

  test('stops and kills at random points of windows change nothing of what is told', (t) =>
    assertRestartsChangeNothing(t, 5));

  test('a kill repeats outputs with the same values, and loses none', async (t) => {
    const sink = await startSink(t);
    const directory = temporaryDirectory(t);
    const flags = [
      `-remoteWrite.url=${sink.url}`,
      `-streamAggr.config=${rulesFile(t, ONES)}`,
      '-remoteWrite.flushInterval=50ms',
      '-remoteWrite.ack=written',
    ];
    const pusher = new Pusher();
    for (let kill = 0; kill < 2; kill++) {
      const sluice = await startSluice(t, directory, flags);
      await pusher.push(sluice.url, 40);
      const before = sumOf(sink).sum;
      if (kill === 1) await until('a window is told', WITHIN_MS, () => sumOf(sink).sum > before);
      await pusher.push(sluice.url, 40);
      await sluice.program.kill('SIGKILL');
    }
    const sluice = await startSluice(t, directory, flags);
    await until('everything is told', WITHIN_MS, () => sumOf(sink).sum >= pusher.samples);
    const { sum, repeated } = sumOf(sink);
    assert.equal(sum, pusher.samples);
    for (const values of repeated) assert.equal(new Set(values).size, 1, `told as ${values}`);
    await balanced(sluice);
  });

  test('without state over a restart, a stop tells what flush_on_shutdown asks for, and lets held samples go', async (t) => {
    const sink = await startSink(t);
    const rules = rulesFile(
      t,
      `${ONES}  flush_on_shutdown: true\n  staleness_interval: 3h\n`.replace('interval: 1s', 'interval: 1h'),
    );
    const sluice = await startSluice(t, temporaryDirectory(t), [
      `-remoteWrite.url=${sink.url}`,
      `-streamAggr.config=${rules}`,
      '-streamAggr.keepState=false',
      '-remoteWrite.streamAggr.dedupInterval=1h',
    ]);
    const pusher = new Pusher();
    await pusher.push(sluice.url, 3);
    await pushTo(sluice.url, [
      { labels: { __name__: 'other' }, points: [{ timestampMs: 5, bits: STALE_MARKER_BITS }] },
    ]);
    await sluice.program.kill('SIGTERM');
    const found = new Map([...arrived(sink)].map(([key, values]) => [key.split(' @')[0]!, values]));
    // The output goes into the deduplicator of the destination, and out of it at the stop.
    assert.deepEqual([...found.keys()].toSorted(), [
      seriesKey({ __name__: 'ones:1h_by_job_sum_samples' }),
      seriesKey({ __name__: 'other' }),
    ]);
    assert.deepEqual(found.get(seriesKey({ __name__: 'ones:1h_by_job_sum_samples' })), [6]);
  });

  test('a reload keeps the windows of rules that did not change, and a file with a problem keeps the old rules', async (t) => {
    const sink = await startSink(t);
    const file = rulesFile(t, ONES.replace('interval: 1s', 'interval: 2s'));
    const flags = [
      `-remoteWrite.url=${sink.url}`,
      `-streamAggr.config=${file}`,
      '-remoteWrite.flushInterval=50ms',
    ];
    const sluice = await startSluice(t, temporaryDirectory(t), flags);
    const pusher = new Pusher();
    const reloads = async (name: string) =>
      metricSum(await sluice.metrics(), `vmagent_streamaggr_config_${name}`);
    await pusher.push(sluice.url, 3);
    writeFileSync(file, '- interval: 2s\n  outputs: [summ_samples]\n');
    sluice.program.signal('SIGHUP');
    await until('the reload failed', WITHIN_MS, async () => (await reloads('reloads_errors_total')) === 1);
    assert.equal(await reloads('reload_successful'), 0);
    assert.match(sluice.program.output, /rules\.yaml:2:13/);
    const { code, output } = await runSluice(t, [...flags, '-dryRun']);
    assert.equal(code, 1);
    assert.match(output, /rules\.yaml:2:13.*summ_samples/);
    await pusher.push(sluice.url, 3);
    const old = ONES.replace('interval: 1s', 'interval: 2s');
    writeFileSync(file, `- match: other\n  interval: 1h\n  outputs: [max]\n${old}`);
    assert.equal((await fetch(`${sluice.url}/-/reload`, { method: 'POST' })).ok, true);
    await until('the reload worked', WITHIN_MS, async () => (await reloads('reload_successful')) === 1);
    // Reloads while requests come: another rule comes and goes. No reload sees a half-written file.
    const pushing = pusher.push(sluice.url, 60);
    for (let nth = 4; nth >= 0; nth--) {
      const name = nth === 0 ? 'other' : `other${nth}`;
      writeFileSync(`${file}.new`, `- match: ${name}\n  interval: 1h\n  outputs: [max]\n${old}`);
      renameSync(`${file}.new`, file);
      assert.equal((await fetch(`${sluice.url}/-/reload`, { method: 'POST' })).ok, true);
    }
    await pushing;
    const sum = () =>
      [...arrived(sink)]
        .filter(([key]) => key.includes('ones:2s_by_job_sum_samples'))
        .reduce((total, [, values]) => total + values.reduce((more, value) => more + value, 0), 0);
    await until('everything is told', WITHIN_MS, () => sum() >= pusher.samples);
    assert.equal(sum(), pusher.samples);
    await balanced(sluice);

    const page = await (await fetch(`${sluice.url}/stream-agg`)).text();
    assert.match(page, /every 2s by job/);
    assert.match(page, /rules\.yaml:5:3/);
    const explained = (await (await fetch(`${sluice.url}/explain?format=json&series=ones`)).json()) as {
      readonly aggregation: unknown;
    };
    assert.deepEqual(explained.aggregation, {
      fate: 'aggregated_in',
      rules: [`${file}:5:3: sum_samples every 2s`],
    });
    assert.match(
      await (await fetch(`${sluice.url}/explain?series=ones`)).text(),
      /rules of aggregation take them/,
    );
  });
});
