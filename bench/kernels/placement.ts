/**
 * Nanoseconds that the place of one series takes, by mode, destinations and copies, and the parts of it.
 * `node bench/kernels/placement.ts [--rounds 50]`. The best round is printed, because everything that disturbs a round
 * makes it slower.
 */
import { parseArgs } from 'node:util';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement, placementModes } from '../../src/route/placement.ts';
import { Scores } from '../../src/route/scores.ts';
import { sortedKey, vmagentKey } from '../../src/route/shard-key.ts';
import { loadHash64 } from '../../src/util/hash64.ts';

const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '50' } } });
const rounds = Number(flags.rounds);
const SERIES = 5_000;

const series = Array.from({ length: SERIES }, (_, index) =>
  Labels.of([
    ['__name__', 'http_request_duration_seconds_bucket'],
    ['cluster', 'eu-west-1'],
    ['code', '200'],
    ['handler', '/api/v1/query'],
    ['instance', `10.0.${index % 200}.${index % 251}:9100`],
    ['job', 'kube-state-metrics'],
    ['le', '0.25'],
    ['namespace', 'monitoring'],
    ['pod', `web-${index}-abcdef`],
    ['verb', 'GET'],
  ]),
);

const hash64 = await loadHash64();
const all = { labels: [], ignoreLabels: [] };
const out: number[] = [];

/** What is computed must not be optimized away. */
let sum = 0;

function measure(name: string, step: (index: number) => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    for (let index = 0; index < SERIES; index++) sum += step(index);
    best = Math.min(best, performance.now() - startedMs);
  }
  console.log(`${name.padEnd(40)} ${((best * 1e6) / SERIES).toFixed(0).padStart(6)} ns`);
}

const placementOf = (mode: (typeof placementModes)[number], count: number, replicas: number) => {
  const destinations = Array.from({ length: count }, (_, index) => ({
    name: `destination-${index}`,
    url: `http://destination-${index}:8428/api/v1/write`,
  }));
  return createPlacement({ ...all, mode, destinations, replicas, virtualNodes: 150 }, hash64);
};

const keys = { vmagent: vmagentKey(all), sorted: sortedKey(all, { metricName: false }) };
for (const [name, keyOf] of Object.entries(keys)) {
  measure(`key, ${name}`, (index) => keyOf(series[index]!).length);
}
const texts = series.map(keys.vmagent);
measure(`hash of ${texts[0]!.length} characters`, (index) => Number(hash64(texts[index]!) & 1n));
const hashes = texts.map((text) => hash64(text));
const scores = new Scores(['a', 'b', 'c', 'd'].map((name) => hash64(name)));
measure('scores of 4', (index) => {
  scores.best(hashes[index]!, 1, out);
  return out[0]!;
});
for (const mode of placementModes) {
  for (const [count, replicas] of [
    [4, 1],
    [4, 2],
    [20, 2],
  ] as const) {
    const placement = placementOf(mode, count, replicas);
    measure(`${mode}, ${replicas} of ${count}`, (index) => {
      placement.owners(series[index]!, undefined, out);
      return out[0]!;
    });
  }
}
const rerouted = placementOf('rendezvous', 4, 1);
const oneDown = [true, false, true, true];
measure('rendezvous, 1 of 4, one not available', (index) => {
  rerouted.owners(series[index]!, oneDown, out);
  return out[0]!;
});
if (sum < 0) throw new Error('BUG: indexes and lengths add up to less than nothing');
