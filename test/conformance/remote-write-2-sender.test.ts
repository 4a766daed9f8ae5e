/**
 * The cases of prometheus/compliance for senders of remote write 2.0 that apply to a relay, with what is pushed instead of what is
 * scraped, in stricter forms; and what becomes of 2.0 over kills and restarts.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { uncompress } from 'snappyjs';
import { atEnd } from '../support/cleanup.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf, decodeWriteRequest, push, type Series } from '../support/remote-write.ts';
import { CONTENT_TYPE_2, push2, Request2 } from '../support/remote-write-2.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const NOW_MS = 1_790_000_000_000;
const WITHIN_MS = 20_000;
const ROUNDS = 4;
const SECOND = '-remoteWrite.protobufMessage=io.prometheus.write.v2.Request';

interface ReceivedSeries {
  readonly labelsRefs: readonly number[];
  readonly samples: readonly {
    readonly value: number;
    readonly timestamp: number;
    readonly startTimestamp?: number;
  }[];
  readonly histograms: readonly object[];
  readonly exemplars: readonly { readonly labelsRefs: readonly number[] }[];
  readonly metadata?: { readonly type: number; readonly helpRef: number } | null;
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly method: string | undefined;
  readonly body: Buffer;
  /** Undefined when it is 1.0. */
  readonly request:
    | { readonly symbols: readonly string[]; readonly timeseries: readonly ReceivedSeries[] }
    | undefined;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const sum = (series: readonly ReceivedSeries[], of: 'samples' | 'histograms' | 'exemplars') =>
  series.reduce((total, one) => total + one[of].length, 0);

const header = (kind: string) => `X-Prometheus-Remote-Write-${kind}-Written`;

/** As a receiver that takes everything. */
const takesAll = ({ request }: Received): Reply => ({
  status: 204,
  headers: {
    [header('Samples')]: String(sum(request!.timeseries, 'samples')),
    [header('Histograms')]: String(sum(request!.timeseries, 'histograms')),
    [header('Exemplars')]: String(sum(request!.timeseries, 'exemplars')),
  },
});

async function startReceiver(t: TestContext, reply: (received: Received, nth: number) => Reply = takesAll) {
  const received: Received[] = [];
  const server = createServer(async (message, response) => {
    const body = Buffer.concat(await message.toArray());
    const isSecond = message.headers['content-type'] === CONTENT_TYPE_2;
    const request = isSecond
      ? (Request2.toObject(Request2.decode(uncompress(body)), {
          arrays: true,
          longs: Number,
        }) as Received['request'])
      : undefined;
    const one = { headers: message.headers, method: message.method, body, request };
    received.push(one);
    const { status, headers = {} } = reply(one, received.length);
    response.writeHead(status, headers).end(status === 204 ? '' : 'words');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, async () => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/write` };
}

async function relay(t: TestContext, url: string, directory: string, ...flags: readonly string[]) {
  return startSluice(t, directory, [
    `-remoteWrite.url=${url}`,
    '-remoteWrite.name=one',
    '-remoteWrite.flushInterval=50ms',
    '-remoteWrite.retryMinInterval=50ms',
    ...flags,
  ]);
}

const series = (name: string, nth = 0, more: Readonly<Record<string, string>> = {}): Series => ({
  labels: { __name__: name, job: 'test', ...more },
  points: [{ timestampMs: NOW_MS + nth, bits: bitsOf(nth) }],
});

/** The ledger, once nothing is under way any more and this has come. */
async function settled(sluice: RunningSluice, received: number): Promise<Readonly<Record<string, number>>> {
  return until('everything is dealt with', WITHIN_MS, async () => {
    const [columns] = Object.values(assertLedgerBalances(await sluice.metrics()).destinations);
    const all = columns!.received! + (columns!.replayed ?? 0) + (columns!.recovered ?? 0);
    return columns!.pending === 0 && columns!.in_engine === 0 && all === received && columns!;
  });
}

function labelsOf(symbols: readonly string[], refs: readonly number[]): [string, string][] {
  return Array.from({ length: refs.length / 2 }, (_, index) => [
    symbols[refs[2 * index]!]!,
    symbols[refs[2 * index + 1]!]!,
  ]);
}

test('protocol, symbols, labels, metadata: what 2.0 asks for', async (t) => {
  const { url, received } = await startReceiver(t);
  const sluice = await relay(t, url, temporaryDirectory(t), SECOND);
  const text =
    '# HELP req "Requests"\n# TYPE req counter\n# UNIT req s\nreq{z="1",a="ü",e=""} 1 1700000000\nreq{z="2",a="ü"} 2 1700000000\n';
  const pushed = await fetch(`${sluice.url}/api/v1/import/prometheus`, { method: 'POST', body: text });
  assert.equal(pushed.status, 204);
  assert.equal(
    (await push(`${sluice.url}/api/v1/write`, [series('b'), series('b', 1, { Z: 'x' })])).status,
    204,
  );
  const exemplars = [{ labels: { trace_id: 'abc', span_id: 'd' }, value: 1, timestamp: NOW_MS }];
  const histograms = [
    { countInt: 1, positiveSpans: [{ length: 1 }], positiveDeltas: [1], timestamp: NOW_MS },
  ];
  const native = { labels: [['__name__', 'native']] as const, histograms, exemplars };
  assert.equal((await push2(`${sluice.url}/api/v1/write`, [native])).status, 204);
  await settled(sluice, 4);
  await until('the histogram is there', WITHIN_MS, () =>
    received.some(({ request }) => request!.timeseries.some(({ histograms: found }) => found.length > 0)),
  );
  for (const { headers, method, body, request } of received) {
    assert.equal(method, 'POST');
    assert.equal(headers['content-type'], CONTENT_TYPE_2);
    assert.equal(headers['content-encoding'], 'snappy');
    assert.equal(headers['x-prometheus-remote-write-version'], '2.0.0');
    assert.match(headers['user-agent']!, /^sluice\/\d/);
    assert.notEqual(body.subarray(0, 10).toString('hex'), 'ff060000734e61507059', 'block format');
    const { symbols, timeseries } = request!;
    assert.equal(symbols[0], '');
    assert.equal(new Set(symbols).size, symbols.length, 'every symbol once');
    for (const one of timeseries) {
      assert.ok(one.samples.length === 0 || one.histograms.length === 0);
      for (const { labelsRefs } of [one, ...one.exemplars]) {
        assert.equal(labelsRefs.length % 2, 0);
        assert.ok(labelsRefs.every((ref) => ref < symbols.length));
        const labels = labelsOf(symbols, labelsRefs);
        assert.deepEqual(
          labels.map(([name]) => name),
          [...new Set(labels.map(([name]) => name))].toSorted(),
        );
        assert.ok(labels.every(([name, value]) => name !== '' && value !== ''));
      }
      assert.ok(labelsOf(symbols, one.labelsRefs).some(([name]) => name === '__name__'));
    }
  }
  const all = received.flatMap(({ request }) =>
    request!.timeseries.map((one) => ({
      ...one,
      symbols: request!.symbols,
      labels: labelsOf(request!.symbols, one.labelsRefs),
    })),
  );
  const named = (name: string) => all.filter(({ labels }) => labels.some(([, value]) => value === name));
  assert.deepEqual(
    named('req').map(({ labels }) => labels.flat().join()),
    ['__name__,req,a,ü,z,1', '__name__,req,a,ü,z,2'],
  );
  for (const { metadata, symbols } of named('req')) {
    assert.equal(metadata!.type, 1);
    assert.equal(symbols[metadata!.helpRef], '"Requests"');
  }
  assert.deepEqual(
    named('b').map(({ labels }) => labels.flat().join()),
    ['__name__,b,job,test', 'Z,x,__name__,b,job,test'],
  );
  assert.equal(named('native')[0]!.histograms.length, 1);
  assert.equal(named('native')[0]!.exemplars.length, 1);
});

test('a partial write is not sent again, and what was not written is counted', async (t) => {
  const { url, received } = await startReceiver(t, () => ({
    status: 400,
    headers: { [header('Samples')]: '2' },
  }));
  const sluice = await relay(t, url, temporaryDirectory(t), SECOND, '-remoteWrite.responsePolicy=prometheus');
  await push(`${sluice.url}/api/v1/write`, [series('a'), series('b'), series('c')]);
  const { delivered, rejected } = await settled(sluice, 3);
  assert.deepEqual([delivered, rejected, received.length], [2, 1, 1]);
});

test('a receiver of 1.0 gets 1.0: the same data at once, and from then on', async (t) => {
  const receivers: readonly (readonly [string, (received: Received) => Reply])[] = [
    ['415', ({ request }) => ({ status: request === undefined ? 204 : 415 })],
    ['that takes 2.0 for nothing', () => ({ status: 204 })],
  ];
  for (const [what, reply] of receivers) {
    const { url, received } = await startReceiver(t, reply);
    const sluice = await relay(t, url, temporaryDirectory(t), SECOND);
    await push(`${sluice.url}/api/v1/write`, [series('a')]);
    await settled(sluice, 1);
    await push(`${sluice.url}/api/v1/write`, [series('b')]);
    const { delivered } = await settled(sluice, 2);
    assert.equal(delivered, 2, what);
    assert.deepEqual(
      received.map(({ headers }) => headers['x-prometheus-remote-write-version']),
      ['2.0.0', '0.1.0', '0.1.0'],
      what,
    );
    const names = received
      .slice(1)
      .flatMap(({ body }) =>
        decodeWriteRequest(uncompress(body)).series.map(({ labels }) => labels.__name__),
      );
    assert.deepEqual(names, ['a', 'b'], what);
  }
});

test('5xx is tried again with the same bytes, whatever it says was written', async (t) => {
  const { url, received } = await startReceiver(t, (one, nth) =>
    nth < 3 ? { status: 503, headers: { [header('Samples')]: '1' } } : takesAll(one),
  );
  const sluice = await relay(t, url, temporaryDirectory(t), SECOND);
  await push(`${sluice.url}/api/v1/write`, [series('a'), series('b')]);
  const { delivered } = await settled(sluice, 2);
  assert.equal(delivered, 2);
  assert.equal(received.length, 3);
  assert.equal(new Set(received.map(({ body }) => body.toString('hex'))).size, 1);
});

test('blocks are split and bisected as 2.0, in order; what is refused alone is a dead letter', async (t) => {
  const { url, received } = await startReceiver(t, (one) => {
    const { symbols, timeseries } = one.request!;
    if (timeseries.length > 3) return { status: 413 };
    const none = { [header('Samples')]: '0' };
    return symbols.includes('bad') ? { status: 400, headers: none } : takesAll(one);
  });
  const policy = '-remoteWrite.responsePolicy=prometheus';
  const sluice = await relay(t, url, temporaryDirectory(t), SECOND, policy);
  const all = Array.from({ length: 20 }, (_, nth) => series(nth === 7 ? 'bad' : `good_${nth}`));
  await push(`${sluice.url}/api/v1/write`, all);
  const { delivered, dead_lettered } = await settled(sluice, 20);
  assert.deepEqual([delivered, dead_lettered], [19, 1]);
  const taken = received.filter(({ request }) => request!.timeseries.length <= 3);
  const names = taken.flatMap(({ request }) =>
    request!.symbols.includes('bad')
      ? []
      : request!.timeseries.map(({ labelsRefs }) => request!.symbols[labelsRefs[1]!]),
  );
  assert.deepEqual(
    names,
    all.map(({ labels }) => labels.__name__).filter((name) => name !== 'bad'),
  );
});

test('after a kill, a 2.0 request of a tenant comes out of the journal as it went in', async (t) => {
  const directory = temporaryDirectory(t);
  const sink = await startSink(t);
  const flags = ['-remoteWrite.ack=written', '-enableMultitenantHandlers'];
  const first = await relay(t, sink.url, directory, ...flags, '-remoteWrite.flushInterval=1h');
  const request = [
    {
      labels: [
        ['__name__', 'kept'],
        ['vm_account_id', '9'],
      ] as const,
      samples: [{ value: 1, timestamp: NOW_MS }],
    },
    { labels: [['job', 'nameless']] as const, samples: [{ value: 1, timestamp: NOW_MS }] },
  ];
  assert.equal(
    (await push2(`${first.url}/insert/3:4/prometheus/api/v1/write`, request)).status,
    400,
    'one of two',
  );
  await first.program.kill('SIGKILL');
  assert.equal(sink.requests.length, 0);
  const second = await relay(t, sink.url, directory, ...flags);
  const { replayed, delivered } = await settled(second, 1);
  assert.deepEqual([replayed, delivered], [1, 1]);
  assert.deepEqual(
    [...sink.samples.series.keys()],
    ['[["__name__","kept"],["vm_account_id","3"],["vm_project_id","4"]]'],
  );
});

test('what waits in files as 1.0 or zstd is sent in the version that the destination gets now', async (t) => {
  const directory = temporaryDirectory(t);
  let isUp = false;
  const { url, received } = await startReceiver(t, (one) => (isUp ? takesAll(one) : { status: 503 }));
  const first = await relay(t, url, directory);
  await push(`${first.url}/api/v1/write`, [series('waits')]);
  await until('it was tried', WITHIN_MS, () => received.length > 0);
  assert.equal((await first.program.kill('SIGTERM')).code, 0);
  isUp = true;
  const second = await relay(t, url, directory, SECOND);
  const { recovered, delivered } = await settled(second, 1);
  assert.deepEqual([recovered, delivered], [1, 1]);
  const { symbols, timeseries } = received.at(-1)!.request!;
  assert.deepEqual(labelsOf(symbols, timeseries[0]!.labelsRefs), [
    ['__name__', 'waits'],
    ['job', 'test'],
  ]);
});

test('a destination gets no native histograms and no exemplars if it takes none, and the ledger says how many', async (t) => {
  const { url, received } = await startReceiver(t);
  const everything = await startReceiver(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${url}`,
    `-remoteWrite.url=${everything.url}`,
    SECOND,
    '-remoteWrite.flushInterval=50ms',
    '-remoteWrite.disableNativeHistograms=true,false',
    '-remoteWrite.disableExemplars=true,false',
  ]);
  const histograms = [
    { countInt: 1, positiveSpans: [{ length: 1 }], positiveDeltas: [1], timestamp: NOW_MS },
  ];
  const exemplars = [{ labels: { trace_id: 'abc' }, value: 1, timestamp: NOW_MS }];
  const samples = [{ value: 1, timestamp: NOW_MS }];
  const both = [
    { labels: [['__name__', 'native']] as const, histograms, exemplars },
    { labels: [['__name__', 'plain']] as const, samples, exemplars },
  ];
  assert.equal((await push2(`${sluice.url}/api/v1/write`, both)).status, 204);
  const page = await until('both have theirs', WITHIN_MS, async () => {
    const found = await sluice.metrics();
    assertLedgerBalances(found);
    const of = (kind: string, column: string) =>
      metricSum(found, `sluice_ledger_destination_${kind}`, { column }) ?? 0;
    const isDone = (kind: string) => of(kind, 'delivered') + of(kind, 'withheld') === of(kind, 'received');
    return ['samples', 'histograms', 'exemplars'].every(isDone) && of('samples', 'delivered') === 2 && found;
  });
  const withheld = (kind: string) =>
    metricSum(page, `sluice_ledger_destination_${kind}`, { column: 'withheld' });
  assert.deepEqual([withheld('histograms'), withheld('exemplars'), withheld('samples')], [1, 2, 0]);
  const counted = ({ received: all }: { received: readonly Received[] }) => {
    const series = all.flatMap(({ request }) => request!.timeseries);
    return [sum(series, 'samples'), sum(series, 'histograms'), sum(series, 'exemplars')];
  };
  assert.deepEqual(counted({ received }), [1, 0, 0]);
  assert.deepEqual(counted(everything), [1, 1, 2]);
});

test('start timestamps go on to who takes 2.0, with labels that change; others get the samples all the same', async (t) => {
  const { received, url } = await startReceiver(t);
  const sink = await startSink(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${url}`,
    `-remoteWrite.url=${sink.url}`,
    `${SECOND},prometheus.WriteRequest`,
    '-remoteWrite.label=zone=eu',
    '-remoteWrite.flushInterval=50ms',
  ]);
  const at = (nth: number, more: object = {}) => ({ value: nth, timestamp: NOW_MS + nth, ...more });
  const startTimestamp = NOW_MS - 60_000;
  const one = (name: string, samples: readonly object[], more: object = {}) => ({
    labels: [['__name__', name]] as const,
    samples,
    ...more,
  });
  // What has come before goes other ways through the engine.
  for (let round = 1; round <= ROUNDS; round++) {
    const next = 10 * round;
    const answer = await push2(`${sluice.url}/api/v1/write`, [
      one('own', [at(next, { startTimestamp })]),
      one('both', [at(next, { startTimestamp }), at(next + 1, { startTimestamp })], {
        exemplars: [{ labels: { trace_id: 'x' }, value: 1, timestamp: NOW_MS + next }],
      }),
      one('created', [at(next)], { createdTimestamp: 1 }),
      one('apart', [at(next, { startTimestamp }), at(next + 1, { startTimestamp: startTimestamp + 1 })]),
      one('none', [at(next)]),
    ]);
    assert.equal(answer.status, 204, answer.text);
    await until('everything is delivered to both', WITHIN_MS, async () => {
      const columns = Object.values(assertLedgerBalances(await sluice.metrics()).destinations);
      return columns.every(({ delivered }) => delivered === 7 * round);
    });
  }
  const starts = received.flatMap(({ request }) =>
    request!.timeseries.map(({ labelsRefs, samples }) => [
      labelsRefs.map((ref) => request!.symbols[ref]).join(),
      samples.map((sample) => sample.startTimestamp ?? 0),
    ]),
  );
  const each = new Map([
    ['__name__,own,zone,eu', [startTimestamp]],
    ['__name__,both,zone,eu', [startTimestamp, startTimestamp]],
    ['__name__,created,zone,eu', [1]],
    ['__name__,apart,zone,eu', [0, 0]],
    ['__name__,none,zone,eu', [0]],
  ]);
  assert.equal(starts.length, ROUNDS * each.size);
  for (const [labels, found] of starts) assert.deepEqual(found, each.get(labels as string), labels as string);
  assert.equal(sink.samples.samples, 7 * ROUNDS);
  assert.equal(metricSum(await sluice.metrics(), 'sluice_start_timestamps_left_out_total'), 2 * ROUNDS);
});

test('metadata of tenants goes with their own series', async (t) => {
  const { received, url } = await startReceiver(t);
  const sluice = await relay(t, url, temporaryDirectory(t), SECOND, '-enableMultitenantHandlers');
  const told = {
    1: { type: 1, help: 'of one' },
    2: { type: 2, help: 'of two' },
    3: { type: 1, help: 'of one' },
  };
  let nth = 0;
  const push = async () => {
    for (const [account, metadata] of Object.entries(told)) {
      const samples = [{ value: 1, timestamp: NOW_MS + ++nth }];
      const series = [{ labels: [['__name__', 'm']] as const, samples, metadata }];
      const answer = await push2(`${sluice.url}/insert/${account}:7/prometheus/api/v1/write`, series);
      assert.equal(answer.status, 204, answer.text);
    }
  };
  await push();
  await settled(sluice, 3);
  received.length = 0;
  await push();
  await settled(sluice, 6);
  const shown = received.flatMap(({ request }) =>
    request!.timeseries.map(({ labelsRefs, metadata }) => {
      const labels = labelsRefs.map((ref) => request!.symbols[ref]);
      return `${labels[labels.indexOf('vm_account_id') + 1]} ${metadata?.type} ${request!.symbols[metadata!.helpRef]}`;
    }),
  );
  assert.deepEqual(shown.toSorted(), ['1 1 of one', '2 2 of two', '3 1 of one']);
});
