/** Paths of tenants into the real daemon and into vmagent: the same series arrive, with the same labels of tenants. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { grpcCall } from '../support/grpc.ts';
import { assertLedgerBalances, metricSum, parseMetrics } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { pushBodies, pushBody, rowsByCase } from '../support/push-bodies.ts';
import { decompressBody, post } from '../support/remote-write.ts';
import { push2 } from '../support/remote-write-2.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const FLAGS = ['-remoteWrite.flushInterval=1s', '-enableMultitenantHandlers'];
const NOW_MS = 1_790_000_000_000;
const WriteRequest = remoteWriteType('WriteRequest');

/** Where a path is for tenants. */
function suffixOf(path: string): string {
  if (path.startsWith('/api/v1/')) return `/prometheus${path}`;
  return path === '/write' || path === '/api/v2/write' ? `/influx${path}` : path;
}

/** Series that name a tenant already, and metadata. */
function ownRequest(): Uint8Array {
  const label = (name: string, value: string) => ({ name, value });
  const names = [
    label('__name__', 'own'),
    label('vm_account_id', '99'),
    label('case', 'own'),
    label('vm_project_id', '98'),
  ];
  const timeseries = [{ labels: names, samples: [{ value: 1, timestamp: NOW_MS }] }];
  const metadata = [{ type: 1, metricFamilyName: 'own', help: 'text', accountId: 97 }];
  return compress(WriteRequest.encode(WriteRequest.fromObject({ timeseries, metadata })).finish());
}

function metadataOf(sink: Sink): unknown[] {
  return sink.requests.flatMap(({ body, headers }) => {
    const message = WriteRequest.decode(decompressBody(body, headers['content-encoding'] as string));
    return WriteRequest.toObject(message, { arrays: true }).metadata as unknown[];
  });
}

test('tenants: the same rows and metadata as from vmagent', {
  skip: missingPrograms('vmagent'),
}, async (t) => {
  const sinks = [await startSink(t), await startSink(t)] as const;
  const grpcPort = await freePort();
  const ours = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sinks[0].url}`,
    `-opentelemetryGRPCListenAddr=127.0.0.1:${grpcPort}`,
    ...FLAGS,
  ]);
  const port = await freePort();
  const theirUrl = `http://127.0.0.1:${port}`;
  const theirs = await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      `-remoteWrite.url=${sinks[1].url}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
      ...FLAGS,
    ],
    readyUrl: `${theirUrl}/health`,
  });
  const bodies = pushBodies.map((body) => ({ ...body, path: `/insert/12:34${suffixOf(body.path)}` }));
  for (const [number, body] of bodies.entries()) {
    for (const url of [ours.url, theirUrl]) {
      // vmagent answers some of DataDog's paths otherwise here.
      const { status } = await pushBody(url, body, number);
      assert.equal(status >= 400, body.status >= 400, `${url}${body.path} ${status}`);
    }
  }
  for (const url of [ours.url, theirUrl]) {
    for (const tenant of ['7', 'multitenant']) {
      const answer = await post(
        `${url}/insert/${tenant}/prometheus/api/v1/write?extra_label=t=${tenant}`,
        ownRequest(),
      );
      assert.equal(answer.status, 204, answer.text);
    }
    for (const bad of ['x', '1:2:3', '4294967296']) {
      const answer = await post(`${url}/insert/${bad}/prometheus/api/v1/write`, ownRequest(), {});
      // From 1.150 on, as here, what is no tenant may be a path.
      assert.equal(answer.status >= 400, true, bad);
    }
  }
  const second = {
    labels: [
      ['__name__', 'own2'],
      ['vm_account_id', '5'],
    ] as const,
    samples: [{ value: 1, timestamp: NOW_MS }],
  };
  assert.equal((await push2(`${ours.url}/insert/8/prometheus/api/v1/write`, [second])).status, 204);
  // Over gRPC the same as over HTTP.
  const otlp = bodies.find(({ protocol, headers = {} }) => {
    return protocol === 'opentelemetry' && headers['Content-Encoding'] === undefined;
  })!;
  const metadata = { AccountID: '12', ProjectID: '34', extra_label: 'case=grpc' };
  const { path } = opentelemetry.grpc!;
  assert.equal(await grpcCall(grpcPort, path, otlp.body as Uint8Array, metadata), 0);
  const page = await until('everything is delivered', 20_000, async () => {
    const found = await ours.metrics();
    const [columns] = Object.values(assertLedgerBalances(found).destinations);
    return columns!.pending === 0 && columns!.in_engine === 0 && found;
  });
  const theirPage = parseMetrics(await (await fetch(`${theirUrl}/metrics`)).text());
  const tenantRows = (samples: typeof page, type: string) =>
    metricSum(samples, 'vmagent_tenant_inserted_rows_total', { type, accountID: '12', projectID: '34' });
  for (const type of ['influx', 'vmimport', 'prometheus', 'csvimport']) {
    assert.ok(tenantRows(page, type)! > 0, type);
    assert.equal(tenantRows(page, type), tenantRows(theirPage, type), type);
  }
  // Both deliver what they have before they end.
  await Promise.all([ours.program.kill(), theirs.kill()]);
  const [mine, other] = sinks.map(({ requests }) => rowsByCase(requests, Date.now()));
  for (const [number, body] of bodies.entries()) {
    const key = body.key ?? String(number);
    assert.deepEqual(mine!.get(key), other!.get(key), body.path);
    for (const row of mine!.get(key) ?? []) assert.match(row, /vm_account_id="12",vm_project_id="34"/);
  }
  assert.deepEqual(mine!.get('grpc'), other!.get(String(bodies.indexOf(otlp))));
  assert.deepEqual(mine!.get('own'), other!.get('own'));
  assert.equal(mine!.get('own')!.length, 2);
  const [our, their] = sinks.map(metadataOf);
  assert.deepEqual(
    new Set(our!.map((entry) => JSON.stringify(entry)).filter((text) => text.includes('own'))),
    new Set(their!.map((entry) => JSON.stringify(entry)).filter((text) => text.includes('own'))),
  );
  assert.deepEqual(
    mine!.get('')!.filter((row) => row.includes('own2')),
    [`{__name__="own2",vm_account_id="8",vm_project_id="0"} 1@${NOW_MS}`],
  );
});
