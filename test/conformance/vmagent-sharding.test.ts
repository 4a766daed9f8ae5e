/** Mode `vmagent` against the real one: it shards to recording destinations, and each series must be where we say. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement, type PlacementSpec } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { randomFrom } from '../support/random.ts';
import { bitsOf, push, type Series, seriesKey } from '../support/remote-write.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { until } from '../support/wait.ts';

const SERIES = 400;
const SINKS = 5;

/** Labels in no order, with texts that are not ASCII, and some that are missing. */
function someSeries(): Series[] {
  const random = randomFrom(7);
  return Array.from({ length: SERIES }, (_, index) => {
    const pairs: [string, string][] = [
      ['__name__', `m_${index % 9}`],
      ['i', String(index)],
    ];
    if (random() < 0.8) pairs.push(['pod', `web-${Math.floor(random() * 30)}`]);
    if (random() < 0.5) pairs.push(['straße', 'größer 漢字 😀']);
    pairs.push(['le', String(random())]);
    const labels = Object.fromEntries(
      pairs
        .map((pair) => [random(), pair] as const)
        .sort(([a], [b]) => a - b)
        .map(([, pair]) => pair),
    );
    return { labels, points: [{ timestampMs: Date.now(), bits: bitsOf(index) }] };
  });
}

const cases: Record<string, { flags: string[]; spec: Partial<PlacementSpec> }> = {
  'all labels': { flags: [], spec: {} },
  'three copies': { flags: ['-remoteWrite.shardByURLReplicas=3'], spec: { replicas: 3 } },
  'chosen labels, which some series have not': {
    flags: ['-remoteWrite.shardByURL.labels=pod,nothing', '-remoteWrite.shardByURLReplicas=2'],
    spec: { labels: ['pod', 'nothing'], replicas: 2 },
  },
  'ignored labels': {
    flags: ['-remoteWrite.shardByURL.ignoreLabels=i,le'],
    spec: { ignoreLabels: ['i', 'le'] },
  },
};

async function shardWithVmagent(t: TestContext, urls: readonly string[], flags: readonly string[]) {
  const port = await freePort();
  await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      ...urls.map((url) => `-remoteWrite.url=${url}`),
      ...flags,
      '-remoteWrite.shardByURL',
      '-remoteWrite.flushInterval=100ms',
      `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ],
    readyUrl: `http://127.0.0.1:${port}/health`,
  });
  return `http://127.0.0.1:${port}/api/v1/write`;
}

/** Keys of the series that a sink has. */
const keysOf = ({ requests }: Sink): Set<string> =>
  new Set(requests.flatMap(({ decoded }) => decoded.series.map(({ labels }) => seriesKey(labels))));

for (const [name, { flags, spec }] of Object.entries(cases)) {
  test(`series are where the real vmagent puts them: ${name}`, {
    skip: missingPrograms('vmagent'),
  }, async (t) => {
    const sinks = await Promise.all(Array.from({ length: SINKS }, () => startSink(t)));
    const urls = sinks.map(({ url }, index) => (index === 1 ? `${url}?extra=1&b=c` : url));
    const target = await shardWithVmagent(t, urls, flags);
    const series = someSeries();
    assert.equal((await push(target, series)).status, 204);
    const replicas = spec.replicas ?? 1;
    await until('everything has arrived', 30_000, () => {
      return sinks.reduce((sum, sink) => sum + keysOf(sink).size, 0) >= SERIES * replicas;
    });
    const placement = createPlacement(
      {
        mode: 'vmagent',
        destinations: urls.map((url, index) => ({ name: `sink-${index}`, url })),
        replicas: 1,
        labels: [],
        ignoreLabels: [],
        virtualNodes: 150,
        ...spec,
      },
      await loadHash64(),
    );
    const arrived = sinks.map(keysOf);
    const owners: number[] = [];
    for (const { labels } of series) {
      placement.owners(Labels.of(Object.entries(labels)), undefined, owners);
      const key = seriesKey(labels);
      const holders = sinks.map((_, index) => index).filter((index) => arrived[index]!.has(key));
      assert.deepEqual(owners.toSorted(), holders, key);
    }
  });
}
