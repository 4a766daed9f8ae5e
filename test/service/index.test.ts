/** Every service endpoint over HTTP: its status, its body, and who may see it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ExplainedSeries } from '../../src/explainer.ts';
import type { IngestValues } from '../../src/ingest/options.ts';
import { noCounts } from '../../src/model/body.ts';
import { Labels } from '../../src/model/labels.ts';
import { createEndpoints } from '../../src/service/index.ts';
import type { ServicePorts } from '../../src/service/ports.ts';
import { parseAggregationRules } from '../../src/transform/aggregate/rule.ts';
import { Secret } from '../../src/util/secret.ts';
import { fetchText, type Harness, RecordingMeter, startServer } from '../ingest/harness.ts';
import { FakeClock } from '../support/fake-clock.ts';

function portsWith(overrides: Partial<ServicePorts> = {}): ServicePorts {
  return {
    version: 'sluice-1.2.3',
    metricsText: () => Promise.resolve('up 1\n'),
    setOptions: () => [],
    status: {
      status: () => ({ ledger: [], destinations: [], orphans: [], drops: [] }),
      top: () => Promise.resolve(undefined),
    },
    reload: () => {},
    explain: () => 'nothing',
    relabel: { globalRules: () => '', urlRules: () => '' },
    aggregation: { stages: () => [] },
    clock: new FakeClock(),
    meter: new RecordingMeter(),
    ...overrides,
  };
}

function start(
  t: TestContext,
  ports: Partial<ServicePorts> = {},
  values: Partial<IngestValues> = {},
): Promise<Harness> {
  return startServer(t, values, createEndpoints(portsWith(ports)));
}

const TEXT = 'text/plain; charset=utf-8';

test('fixed answers', async (t) => {
  const { url } = await start(t);
  const cases = [
    ['/health', 200, 'OK', TEXT],
    ['/-/healthy', 200, 'Sluice is healthy.\n', TEXT],
    ['/-/ready', 200, 'Sluice is ready.\n', TEXT],
    ['/ready', 200, 'OK', TEXT],
    ['/ping', 204, '', null],
    ['/ping?verbose=true', 200, '', TEXT],
    ['/robots.txt', 200, 'User-agent: *\nDisallow: /\n', TEXT],
    ['/metrics', 200, 'up 1\n', 'text/plain; version=0.0.4; charset=utf-8'],
    ['/flags', 200, '', TEXT],
  ] as const;
  for (const [path, status, body, type] of cases) {
    const answer = await fetchText(`${url}${path}`);
    assert.deepEqual(
      [answer.status, answer.body, answer.headers.get('content-type')],
      [status, body, type],
      path,
    );
  }
  const icon = await fetchText(`${url}/favicon.ico`);
  assert.deepEqual([icon.status, icon.headers.get('content-type')], [200, 'image/svg+xml']);
  assert.match(icon.body, /^<svg .*<\/svg>$/);
});

test('/health tells that the relay is going away, the other checks do not', async (t) => {
  const { url, server } = await start(t, {}, { 'http.shutdownDelay': 60_000 });
  const closed = server.close();
  const health = await fetchText(`${url}/health`);
  assert.deepEqual(
    [health.status, health.body],
    [503, 'the relay is shutting down; send new requests elsewhere\n'],
  );
  for (const path of ['/-/healthy', '/-/ready', '/ready']) {
    assert.equal((await fetchText(`${url}${path}`)).status, 200, path);
  }
  server.close();
  await closed;
});

test('/flags lists what was set, one a line, quoted', async (t) => {
  const setOptions = () => [
    { name: 'remoteWrite.url', value: 'secret' },
    { name: 'selfScrapeJob', value: 'a "b"\nc' },
  ];
  const { url } = await start(t, { setOptions });
  const answer = await fetchText(`${url}/flags`);
  assert.equal(answer.body, '-remoteWrite.url="secret"\n-selfScrapeJob="a \\"b\\"\\nc"\n');
});

test('/metrics is collected once a second at most, and a failure is not kept', async (t) => {
  const clock = new FakeClock();
  const meter = new RecordingMeter();
  let collections = 0;
  const metricsText = () => {
    collections++;
    return collections === 2 ? Promise.reject(new Error('no')) : Promise.resolve(`c ${collections}\n`);
  };
  const { url } = await start(t, { metricsText, clock, meter });
  const read = async () => {
    const { status, body } = await fetchText(`${url}/metrics`);
    return [status, body.trim()];
  };
  assert.deepEqual(await Promise.all([read(), read()]), [
    [200, 'c 1'],
    [200, 'c 1'],
  ]);
  clock.advance(999);
  assert.deepEqual(await read(), [200, 'c 1']);
  clock.advance(1);
  assert.equal((await read())[0], 500);
  assert.deepEqual(await read(), [200, 'c 3']);
  const count = meter.value('vm_http_request_duration_seconds_count', { path: '/metrics' });
  assert.equal(count, 4);
});

test('basic auth guards pages, not health checks', async (t) => {
  const password = new Secret('pass');
  const { url } = await start(t, {}, { 'httpAuth.username': 'ann', 'httpAuth.password': password });
  const headers = { Authorization: `Basic ${Buffer.from('ann:pass').toString('base64')}` };
  for (const path of ['/', '/metrics', '/flags', '/ready', '/no-such-page']) {
    assert.equal((await fetchText(`${url}${path}`)).status, 401, path);
    assert.notEqual((await fetchText(`${url}${path}`, { headers })).status, 401, path);
  }
  for (const path of ['/health', '/-/healthy', '/-/ready', '/ping', '/robots.txt', '/favicon.ico']) {
    assert.ok((await fetchText(`${url}${path}`)).status < 300, path);
  }
});

test('an auth key stands instead of basic auth, in the query or as a bearer token', async (t) => {
  const { url, meter } = await start(
    t,
    {},
    {
      'httpAuth.username': 'ann',
      'httpAuth.password': new Secret('pass'),
      metricsAuthKey: new Secret('mkey'),
      flagsAuthKey: new Secret('fkey'),
    },
  );
  const basic = { Authorization: `Basic ${Buffer.from('ann:pass').toString('base64')}` };
  for (const [path, key, other] of [
    ['/metrics', 'mkey', 'fkey'],
    ['/flags', 'fkey', 'mkey'],
  ]) {
    assert.equal((await fetchText(`${url}${path}?authKey=${key}`)).status, 200);
    assert.equal(
      (await fetchText(`${url}${path}`, { headers: { Authorization: `Bearer ${key}` } })).status,
      200,
    );
    for (const init of [{}, { headers: basic }, { headers: { Authorization: `Bearer ${other}` } }]) {
      const answer = await fetchText(`${url}${path}`, init);
      assert.equal(answer.status, 401);
      assert.match(answer.body, new RegExp(`-${path!.slice(1)}AuthKey`));
      assert.ok(!answer.body.includes(key!));
    }
    assert.equal((await fetchText(`${url}${path}?authKey=${key}x`)).status, 401);
  }
  assert.equal(meter.value('vm_http_request_errors_total', { path: '*', reason: 'wrong_auth_key' }), 8);
});

test('the status page shows the ledger and the destinations, and escapes what others named', async (t) => {
  const evil = `<script>alert("x")</script>'&`;
  const counts = { ...noCounts, samples: 1_234_567 };
  const status = () => ({
    ledger: [{ column: 'in_engine', counts }],
    destinations: [
      {
        name: evil,
        url: `http://x/?${evil}`,
        state: `refused: ${evil}`,
        isHealthy: false,
        ledger: [{ column: evil, counts }],
        pendingBytes: 5_452_595,
        oldestAgeS: 95,
        secondsToFull: undefined,
        secondsToDrain: 30,
        deadLetters: 2,
      },
    ],
    orphans: [{ name: evil, bytes: 2_048 }],
    drops: [{ reason: evil, series: evil, client: evil }],
  });
  const lines = [{ key: evil, count: 3, share: 0.5 }];
  const top = () =>
    Promise.resolve({
      ...{ coveredS: 60, samples: 6, newSeries: 0 },
      ...{ metrics: lines, labelValues: [], clients: lines, newByMetric: [], newByLabelValue: [] },
    });
  const { url } = await start(t, { status: { status, top }, version: evil });
  const { status: code, body, headers } = await fetchText(`${url}/`);
  assert.equal(code, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy')!, /^default-src 'none'; style-src 'sha256-/);
  assert.match(body, /<th scope="row">in engine<\/th><td class="">1,234,567<\/td><td class="zero">0<\/td>/);
  assert.match(
    body,
    /5\.2 MiB waiting, the oldest for 1 min 35 s, sent in 30 s at this rate, 2 dead letters/,
  );
  assert.match(body, /: 2\.0 KiB\. Send it with/);
  assert.ok(!body.includes('<script'));
  assert.equal(body.split('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;').length - 1, 13);
});

test('the policy allows exactly the style that the page has', async (t) => {
  const { hash } = await import('node:crypto');
  const { url } = await start(t);
  const { body, headers } = await fetchText(`${url}/`);
  const style = /<style>(.*)<\/style>/s.exec(body)![1]!;
  assert.ok(headers.get('content-security-policy')!.includes(`'sha256-${hash('sha256', style, 'base64')}'`));
});

test('the status page keeps its own policy beside a configured one, counts up time, and is for reading only', async (t) => {
  const clock = new FakeClock();
  const { url } = await start(t, { clock }, { 'http.header.csp': "default-src 'self'" });
  clock.advance((26 * 3600 + 61) * 1000);
  const { body, headers } = await fetchText(`${url}/`);
  assert.match(body, /up for 1 d 2 h</);
  assert.match(headers.get('content-security-policy')!, /'none'/);
  const refused = await fetchText(`${url}/`, { method: 'POST', body: 'x' });
  assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD']);
});

test('below a path prefix the links of the page still work', async (t) => {
  const { url } = await start(t, {}, { 'http.pathPrefix': '/relay' });
  const { body } = await fetchText(`${url}/`);
  const links = [...body.matchAll(/href="([^"]+)"/g)].map(([, link]) => link!);
  assert.ok(links.length > 3);
  for (const link of links) {
    const { status } = await fetchText(new URL(link, `${url}/`).href);
    assert.equal(status, 200, link);
  }
});

test('/explain shows the way of a series, and escapes what was typed', async (t) => {
  const series = Labels.of([
    ['__name__', 'up'],
    ['job', '<script>'],
  ]);
  const steps = [
    { rule: 'action: labeldrop', inLabels: series.pairs(), outLabels: [['__name__', 'up']], dropped: false },
  ] as const;
  const labels = Labels.of([['__name__', 'up']]);
  const explained: ExplainedSeries = {
    series,
    explanation: {
      steps,
      verdict: 'none',
      labels,
      owners: [0],
      stage: undefined,
      forms: [{ steps: [], stage: undefined, labels }],
    },
    destinations: [
      { name: 'a', why: 'the owner', form: { steps: [], stage: undefined, labels } },
      { name: 'b', why: 'other shards own it', form: undefined },
    ],
  };
  const { url } = await start(t, { explain: (text) => (text === 'bad' ? 'bad' : explained) });
  const page = await fetchText(`${url}/explain?series=${encodeURIComponent('up{job="<script>"}')}`);
  assert.equal(page.status, 200);
  assert.ok(!page.body.includes('<script>'));
  assert.match(page.body, /<del>job=&quot;&lt;script&gt;&quot;<\/del>/);
  assert.match(page.body, /other shards own it/);
  const json = await fetchText(`${url}/explain?format=json&series=up`);
  assert.deepEqual(JSON.parse(json.body), {
    status: 'success',
    series: 'up{job="<script>"}',
    verdict: 'none',
    steps: [
      {
        rule: 'action: labeldrop',
        inLabels: { __name__: 'up', job: '<script>' },
        outLabels: { __name__: 'up' },
        dropped: false,
      },
    ],
    labels: 'up',
    aggregation: null,
    destinations: [
      { name: 'a', why: 'the owner', aggregation: null, steps: [], series: 'up' },
      { name: 'b', why: 'other shards own it', aggregation: null, steps: [], series: null },
    ],
  });
  assert.match((await fetchText(`${url}/explain`)).body, /<textarea/);
  assert.match(
    (await fetchText(`${url}/explain?series=bad`)).body,
    /cannot read the series: bad; write it like/,
  );
  for (const query of ['', '&series=bad']) {
    assert.equal((await fetchText(`${url}/explain?format=json${query}`)).status, 400);
  }
});

test('/top and /api/v1/top show the same; a busy engine is told', async (t) => {
  const shown = {
    ...{ coveredS: 90, samples: 1_000, newSeries: 10 },
    metrics: [{ key: 'up', count: 900, share: 0.9 }],
    labelValues: [{ key: 'job="a"', count: 500, share: 0.5 }],
    ...{ clients: [], newByMetric: [], newByLabelValue: [] },
  };
  let current: typeof shown | undefined = shown;
  const status = { status: portsWith().status.status, top: () => Promise.resolve(current) };
  const { url } = await start(t, { status });
  const api = await fetchText(`${url}/api/v1/top`);
  assert.deepEqual(JSON.parse(api.body), { status: 'success', data: shown });
  const page = await fetchText(`${url}/top`);
  assert.match(page.body, /1,000 samples of the last 2 min/);
  assert.match(page.body, /<code>up<\/code><\/td><td>900<\/td><td>90\.0 %/);
  current = undefined;
  assert.equal((await fetchText(`${url}/api/v1/top`)).status, 503);
  assert.match((await fetchText(`${url}/top`)).body, /too busy/);
});

test('/-/reload begins a reload, with its own key', async (t) => {
  let reloads = 0;
  const reload = () => {
    reloads++;
  };
  const { url } = await start(t, { reload }, { reloadAuthKey: new Secret('rkey') });
  assert.equal((await fetchText(`${url}/-/reload`)).status, 401);
  assert.equal((await fetchText(`${url}/-/reload?authKey=rkey`)).status, 200);
  assert.equal(reloads, 1);
});

test('/stream-agg shows places, rules and what they did', async (t) => {
  const empty = await start(t);
  assert.match((await fetchText(`${empty.url}/stream-agg`)).body, /Nothing is aggregated/);
  const rules = parseAggregationRules(
    '- name: "<b>"\n  match: up\n  interval: 1m\n  by: [job]\n  outputs: [total, max]\n',
    'rules.yaml',
  ).rules;
  const config = {
    scope: 'destination one',
    rules,
    keepInput: false,
    dropInput: true,
    dedupIntervalMs: 30_000,
    dropInputLabels: [],
    enableWindows: false,
  };
  const account = { received: 5, resumed: 7, deduplicated: 2, tooOld: 7, emitted: 1, items: 2 };
  const dedup = { ...account, series: 3, bytes: 40, flushTimeouts: 0 };
  const stats = {
    scope: 'destination one',
    rules: [],
    dedup,
    lastFlushMs: 1_790_000_000_000,
    nextFlushMs: 1_790_000_060_000,
  };
  const shown = [
    { config, stats },
    { config: { ...config, scope: 'global', dedupIntervalMs: 0 }, stats: undefined },
  ];
  const { url } = await start(t, { aggregation: { stages: () => shown } });
  const { body } = await fetchText(`${url}/stream-agg`);
  assert.match(body, /For destination one/);
  assert.match(body, /Ahead of all destinations/);
  assert.match(body, /<code>total, max<\/code> every 1m by job/);
  assert.match(body, /No sample goes on as it is\. Last flush: 2026-09-21/);
  assert.match(body, /one sample a series every 30 s/);
  assert.match(body, /&lt;b&gt;, rules\.yaml:1:3/);
  assert.ok(!body.includes('<b>'));
});
