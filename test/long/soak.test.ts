/**
 * A quarter of an hour at the rate of a small installation: memory must not grow once it has settled, and every
 * sample must arrive. SOAK_MINUTES shortens it for a try (it must stay above the settling time).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertLedgerBalances } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const SERIES = 7_000;
const PER_REQUEST = 500;
const DURATION_MS = Number(process.env.SOAK_MINUTES ?? 15) * 60_000;
const SETTLED_AFTER_MS = Math.min(5 * 60_000, DURATION_MS / 3);
const IDLE_RSS_BYTES_MAX = 110e6;
/** A slope in MB an hour that the noise of garbage collection can feign within ten minutes. */
const SLOPE_MB_PER_HOUR_MAX = 30;

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Theil–Sen: the median of the slopes between all pairs, which single spikes do not move. */
export function slope(points: readonly { x: number; y: number }[]): number {
  const slopes = points.flatMap((a, index) => points.slice(index + 1).map((b) => (b.y - a.y) / (b.x - a.x)));
  return median(slopes);
}

/** One scrape of all series, every request due at its share of the second; returns the samples that were accepted. */
async function pushScrape({ url }: RunningSluice, nth: number): Promise<number> {
  let accepted = 0;
  for (let from = 0; from < SERIES; from += PER_REQUEST) {
    const series: Series[] = Array.from({ length: PER_REQUEST }, (_, index) => ({
      labels: {
        __name__: 'soak',
        instance: `10.0.0.${(from + index) % 250}:9100`,
        series: String(from + index),
      },
      points: [{ timestampMs: 1_790_000_000_000 + nth * 1000, bits: bitsOf(nth * 1.5 + index) }],
    }));
    const { status, text } = await push(`${url}/api/v1/write`, series);
    assert.equal(status, 204, text);
    accepted += series.length;
  }
  return accepted;
}

test('the Theil–Sen slope sees a leak and not a spike', () => {
  const noisy = (perStep: number) =>
    Array.from({ length: 60 }, (_, x) => ({ x, y: x * perStep + (x === 40 ? 500 : (x * 7) % 5) }));
  assert.ok(Math.abs(slope(noisy(0))) < 0.1);
  assert.ok(Math.abs(slope(noisy(3)) - 3) < 0.1);
});

async function measureSoak(t: TestContext, sluice: RunningSluice) {
  const startMs = performance.now();
  const rss: { x: number; y: number }[] = [];
  let accepted = 0;
  for (let nth = 0; performance.now() - startMs < DURATION_MS; nth++) {
    accepted += await pushScrape(sluice, nth);
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > SETTLED_AFTER_MS)
      rss.push({ x: elapsedMs / 3_600_000, y: rssBytes(sluice.program.pid) / 1e6 });
    if (nth % 60 === 0)
      t.diagnostic(`minute ${nth / 60}: ${(rssBytes(sluice.program.pid) / 1e6).toFixed(0)} MB`);
    await delay(Math.max(0, startMs + (nth + 1) * 1000 - performance.now()));
  }
  return { accepted, rss };
}

test('memory does not grow at 7,000 samples a second', { timeout: DURATION_MS + 120_000 }, async (t) => {
  let delivered = 0;
  const sink = await startSink(t, {
    respond: ({ decoded }) => {
      delivered += decoded.series.reduce((sum, { points }) => sum + points.length, 0);
      sink.requests.length = 0; // the sink must not be what grows
      sink.samples.series.clear();
      return 204;
    },
  });
  const sluice = await startSluice(t, temporaryDirectory(t), [`-remoteWrite.url=${sink.url}`]);
  await delay(10_000);
  const idleBytes = rssBytes(sluice.program.pid);
  t.diagnostic(`idle: ${(idleBytes / 1e6).toFixed(0)} MB`);

  const { accepted, rss } = await measureSoak(t, sluice);
  await until('all has arrived', 30_000, () => delivered >= accepted);
  assert.equal(delivered, accepted);
  assertLedgerBalances(await sluice.metrics());

  const slopeMbPerHour = slope(rss);
  t.diagnostic(
    `${accepted} samples, RSS ${rss.at(-1)!.y.toFixed(0)} MB, slope ${slopeMbPerHour.toFixed(1)} MB an hour`,
  );
  assert.ok(slopeMbPerHour <= SLOPE_MB_PER_HOUR_MAX, `RSS grows by ${slopeMbPerHour.toFixed(1)} MB an hour`);
  assert.ok(idleBytes <= IDLE_RSS_BYTES_MAX, `idle RSS is ${(idleBytes / 1e6).toFixed(0)} MB`);
});
