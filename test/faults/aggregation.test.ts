/**
 * Kills and stops at any moment while samples are aggregated and deduplicated, and a destination that fails now and then: with a
 * journal everything is told, and what is told again is told the same.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/util/clock.ts';
import { assertLedgerBalances } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { randomFrom } from '../support/random.ts';
import { bitsOf, push, seriesKey, valueOfBits } from '../support/remote-write.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Math.min(50, Math.ceil(Number(process.env.KILLS ?? 20) / 10));
const WITHIN_MS = 60_000;

const GLOBAL = `
- match: ones
  interval: 1s
  by: [g]
  outputs: [sum_samples]
`;
const OWN = `
- match: others
  interval: 2s
  by: [g]
  outputs: [count_samples]
`;

test('aggregation under kills tells everything, and nothing in two ways', async (t) => {
  t.diagnostic(`SEED=${SEED}`);
  const random = randomFrom(SEED);
  let isDown = false;
  const sink = await startSink(t, { respond: () => (isDown ? 503 : 204) });
  const directory = temporaryDirectory(t);
  const fileOf = (name: string, rules: string) => {
    writeFileSync(path.join(directory, name), rules);
    return path.join(directory, name);
  };
  const flags = [
    `-remoteWrite.url=${sink.url}`,
    `-streamAggr.config=${fileOf('global.yaml', GLOBAL)}`,
    `-remoteWrite.streamAggr.config=${fileOf('own.yaml', OWN)}`,
    '-remoteWrite.streamAggr.keepInput',
    '-streamAggr.dedupInterval=500ms',
    '-remoteWrite.flushInterval=100ms',
    '-remoteWrite.ack=written',
  ];
  let sent = 0;
  let acknowledged = 0;
  const start = () => startSluice(t, path.join(directory, 'data'), flags);
  for (let round = 0; round < ROUNDS; round++) {
    const sluice = await start();
    const endMs = systemClock.monotonicMs() + 300 + random() * 2_500;
    while (systemClock.monotonicMs() < endMs) {
      const timestampMs = systemClock.nowMs();
      const labels = { g: `${sent % 3}`, nth: `${sent++}` };
      const { status } = await push(`${sluice.url}/api/v1/write`, [
        { labels: { __name__: 'ones', ...labels }, points: [{ timestampMs, bits: bitsOf(1) }] },
        { labels: { __name__: 'others', ...labels }, points: [{ timestampMs, bits: bitsOf(sent) }] },
      ]);
      assert.equal(status, 204);
      acknowledged++;
      if (sent % 50 === 0) isDown = random() < 0.3;
    }
    isDown = false;
    await sluice.program.kill(round % 3 === 2 ? 'SIGTERM' : 'SIGKILL');
  }
  const sluice = await start();
  const told = () => {
    const values = new Map<string, Set<number>>();
    for (const { decoded } of sink.requests) {
      for (const { labels, points } of decoded.series) {
        for (const { timestampMs, bits } of points) {
          const key = `${seriesKey(labels)} @ ${timestampMs}`;
          values.set(key, (values.get(key) ?? new Set()).add(valueOfBits(bits)));
        }
      }
    }
    const sum = (name: string) =>
      [...values]
        .filter(([key]) => key.includes(`"${name}"`))
        .reduce((total, [, [value]]) => total + value!, 0);
    const raw = [...values.keys()].filter((key) => key.includes('"others"')).length;
    const conflicts = [...values].filter(([, different]) => different.size > 1).map(([key]) => key);
    return {
      ones: sum('ones:1s_by_g_sum_samples'),
      others: sum('others:2s_by_g_count_samples'),
      raw,
      conflicts,
    };
  };
  const all = { ones: acknowledged, others: acknowledged, raw: acknowledged, conflicts: [] };
  await until('everything is told', WITHIN_MS, () => {
    const { ones, others, raw } = told();
    return ones >= acknowledged && others >= acknowledged && raw >= acknowledged;
  });
  assert.deepEqual(told(), all);
  assertLedgerBalances(await sluice.metrics());
});
