/**
 * Stops and kills of the real daemon at random points of windows: what rules tell must be what they would have told without.
 * What that is follows from when samples came, which is known where a request began and ended in one window.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/util/clock.ts';
import { assertLedgerBalances } from './metrics.ts';
import { temporaryDirectory } from './process.ts';
import { randomFrom } from './random.ts';
import { bitsOf, push, valueOfBits } from './remote-write.ts';
import { type Sink, startSink } from './sink.ts';
import { startSluice } from './sluice.ts';
import { until } from './wait.ts';

const INTERVAL_MS = 1_000;
const WITHIN_MS = 60_000;
/** A request takes less than that, mostly. */
const MARGIN_MS = 200;
const GROUPS = 3;
const RULES = `
- match: counter
  interval: 1s
  by: [g, gen]
  staleness_interval: 1h
  dedup_interval: 0s
  outputs: [count_samples, max, last, increase_prometheus]
`;

/** The samples of a group and window: values that only rise. */
interface Window {
  readonly key: string;
  readonly values: number[];
  /** The last one before. */
  readonly before: number | undefined;
}

/** What was told or went on: `name g gen @ window`, each value once. */
function toldBy(sink: Sink): Map<string, Set<number>> {
  const told = new Map<string, Set<number>>();
  for (const { decoded } of sink.requests) {
    for (const { labels, points } of decoded.series) {
      const { __name__: name, g, gen, nth = '' } = labels;
      for (const { timestampMs, bits } of points) {
        const key = `${name}${nth} ${g} ${gen} @ ${timestampMs}`;
        told.set(key, (told.get(key) ?? new Set()).add(valueOfBits(bits)));
      }
    }
  }
  return told;
}

export async function assertRestartsChangeNothing(t: TestContext, rounds: number): Promise<void> {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  const sink = await startSink(t);
  const directory = temporaryDirectory(t);
  const rules = path.join(directory, 'rules.yaml');
  writeFileSync(rules, RULES);
  const flags = [
    `-remoteWrite.url=${sink.url}`,
    `-streamAggr.config=${rules}`,
    // Each series has one sample only, so none may be missing.
    '-streamAggr.dedupInterval=700ms',
    '-remoteWrite.flushInterval=50ms',
    '-remoteWrite.ack=written',
  ];
  const start = () => startSluice(t, path.join(directory, 'data'), flags);
  const windows = new Map<string, Window>();
  const last = new Map<string, number>();
  const late = new Set<string>();
  const raw: string[] = [];
  let gen = 0;
  let nth = 0;
  const pushOne = async (url: string) => {
    const leftMs = INTERVAL_MS - (systemClock.nowMs() % INTERVAL_MS);
    if (leftMs < MARGIN_MS) await delay(leftMs + 1);
    const value = ++nth;
    const g = nth % GROUPS;
    const labels = { g: `${g}`, gen: `${gen}` };
    const beganMs = systemClock.nowMs();
    const points = [{ timestampMs: beganMs, bits: bitsOf(value) }];
    const { status } = await push(`${url}/api/v1/write`, [
      { labels: { __name__: 'counter', ...labels }, points },
      { labels: { __name__: 'raw', nth: `${nth}`, ...labels }, points },
    ]);
    assert.equal(status, 204);
    raw.push(`raw${nth} ${g} ${gen} @ ${beganMs}`);
    const endOf = (ms: number) => Math.floor(ms / INTERVAL_MS) * INTERVAL_MS + INTERVAL_MS;
    const endMs = endOf(beganMs);
    const key = `${g} ${gen} @ ${endMs}`;
    if (endOf(systemClock.nowMs()) !== endMs) {
      // It came in this window or in a later one; what comes now is another series.
      late.add(key);
      gen++;
      return;
    }
    const series = `${g} ${gen}`;
    const window = windows.get(key) ?? { key, values: [], before: last.get(series) };
    windows.set(key, window);
    window.values.push(value);
    last.set(series, value);
  };

  for (let round = 0; round < rounds; round++) {
    const sluice = await start();
    if (round === 0) {
      // The first window is longer than the others.
      const firstEndMs = (Math.floor(systemClock.nowMs() / INTERVAL_MS) + 2) * INTERVAL_MS;
      await delay(firstEndMs - systemClock.nowMs() + 1);
    }
    const endMs = systemClock.monotonicMs() + 100 + random() * 1_500;
    while (systemClock.monotonicMs() < endMs) await pushOne(sluice.url);
    assertLedgerBalances(await sluice.metrics());
    await sluice.program.kill(random() < 0.5 ? 'SIGTERM' : 'SIGKILL');
  }
  const sluice = await start();
  await pushOne(sluice.url);
  const whole = [...windows.values()].filter(({ key }) => !late.has(key));
  const expected = new Map<string, number[]>(
    whole.flatMap(({ key, values, before }) => {
      const grown = values.at(-1)! - (before ?? values[0]!);
      const outputs = {
        count_samples: values.length,
        max: values.at(-1)!,
        last: values.at(-1)!,
        increase_prometheus: grown,
      };
      return Object.entries(outputs).map(
        ([output, value]) => [`counter:1s_by_g_gen_${output} ${key}`, [value]] as const,
      );
    }),
  );
  for (const [index, key] of raw.entries()) expected.set(key, [index + 1]);
  const found = () => {
    const told = toldBy(sink);
    return new Map([...expected.keys()].map((key) => [key, [...(told.get(key) ?? [])]]));
  };
  await until('everything is told', WITHIN_MS, () => [...found().values()].every(({ length }) => length > 0));
  assert.deepEqual(found(), expected);
  assert.ok(whole.length > rounds, `only ${whole.length} windows could be compared`);
  await until('the ledger balances', WITHIN_MS, async () => {
    assertLedgerBalances(await sluice.metrics());
    return true;
  });
}
