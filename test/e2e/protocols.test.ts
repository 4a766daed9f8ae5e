/** Every protocol into the real daemon: what the destination got is what was meant, what vmagent makes of it, and in the ledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLines } from '../../src/protocol/json-lines.ts';
import { native } from '../../src/protocol/native.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { parse } from '../protocol/support.ts';
import { assertLedgerBalances, metricSum, parseMetrics, type Sample } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import {
  type LineBody,
  lineBodies,
  pushBodies,
  pushBody,
  rowsByCase,
  sendLines,
} from '../support/push-bodies.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { VictoriaMetrics } from '../support/victoria-metrics.ts';
import { until } from '../support/wait.ts';

const FLAGS = ['-remoteWrite.flushInterval=1s'];

/** A port for each listener for lines, and the flags that open them. */
async function linePorts(bodies: readonly LineBody[]): Promise<{ ports: number[]; flags: string[] }> {
  const ports: number[] = [];
  for (const _ of bodies) ports.push(await freePort());
  return { ports, flags: bodies.map(({ option }, index) => `-${option}=127.0.0.1:${ports[index]}`) };
}

const familyOf = (protocol: string) =>
  protocol.replace(/^datadog.*$/, 'datadog').replace(/^native$/, 'nativeimport');

const insertedOf = (page: readonly Sample[], protocol: string) =>
  metricSum(page, 'vmagent_rows_inserted_total', { type: protocol }) ?? 0;

/** Sends bodies of lines; resolves when they are taken, which is later than their connections are closed. */
async function pushLines(url: string, bodies: readonly LineBody[], ports: readonly number[]): Promise<void> {
  const read = async () => parseMetrics(await (await fetch(`${url}/metrics`)).text());
  const before = await read();
  for (const [index, body] of bodies.entries()) await sendLines(ports[index]!, body);
  await until('lines are taken', 10_000, async () => {
    const page = await read();
    return bodies.every(({ protocol, rows }) => {
      return insertedOf(page, protocol) - insertedOf(before, protocol) === rows;
    });
  });
}

test('every protocol arrives, is counted, and is in the ledger', async (t) => {
  const sink = await startSink(t);
  const lines = await linePorts(lineBodies);
  const { url, metrics } = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    '-statsd.disableAggregationEnforcement',
    ...FLAGS,
    ...lines.flags,
  ]);
  for (const [number, body] of pushBodies.entries()) {
    const { status, text } = await pushBody(url, body, number);
    assert.equal(status, body.status, `${body.path}: ${text}`);
    if (status === 400) assert.match(text, /^cannot .*: .*\n$/);
  }
  await pushLines(url, lineBodies, lines.ports);
  const page = await until('everything is delivered', 20_000, async () => {
    const samples = await metrics();
    const delivered = metricSum(samples, 'sluice_ledger_destination_samples', { column: 'delivered' });
    const received = metricSum(samples, 'sluice_ledger_destination_samples', { column: 'received' });
    return delivered !== undefined && delivered === received && samples;
  });
  assertLedgerBalances(page);
  const cases = rowsByCase(sink.requests, Date.now());
  const rows = [...cases.values()].reduce((sum, each) => sum + each.length, 0);
  let inserted = 0;
  for (const protocol of new Set([...pushBodies, ...lineBodies].map((body) => body.protocol))) {
    const of = (name: string) => metricSum(page, name, { type: protocol }) ?? 0;
    assert.ok(of('vmagent_rows_inserted_total') > 0, protocol);
    // The others refuse a request as a whole.
    assert.ok(of('vm_rows_invalid_total') > 0 || /^(newrelic|datadog|native)/.test(protocol), protocol);
    assert.ok(of('vm_protoparser_rows_read_total') > 0, protocol);
    inserted += of('vmagent_rows_inserted_total');
    const family = familyOf(protocol);
    const requests = metricSum(page, 'vmagent_http_requests_total', { protocol: family }) ?? 0;
    const isHttp = (body: { protocol: string; path?: string }) =>
      familyOf(body.protocol) === family && (body.path !== undefined || protocol === 'opentsdbhttp');
    assert.equal(requests, [...pushBodies, ...lineBodies].filter(isHttp).length, protocol);
  }
  assert.equal(rows, inserted);
  assert.equal(rows, metricSum(page, 'sluice_ledger_samples_total', { column: 'received' }));
  const [first] = cases.get('0')!;
  assert.equal(first, '{__name__="a",b="domain\\\\somelogin \\\\ \\" \\n"} 1@1000');
  assert.ok(
    sink.requests.some(({ decoded }) => decoded.families.includes('foo')),
    'metadata arrives',
  );
});

test('the same bodies give the same rows as from vmagent', {
  skip: missingPrograms('vmagent'),
}, async (t) => {
  const sinks = [await startSink(t), await startSink(t)] as const;
  const bodies = lineBodies.filter(({ isOurs }) => !isOurs);
  const lines = [await linePorts(bodies), await linePorts(bodies)] as const;
  const ours = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sinks[0].url}`,
    ...FLAGS,
    ...lines[0].flags,
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
      ...lines[1].flags,
    ],
    readyUrl: `${theirUrl}/health`,
  });
  for (const [number, body] of pushBodies.entries()) {
    const answers = await Promise.all([ours.url, theirUrl].map((url) => pushBody(url, body, number)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [body.status, body.status],
      body.path,
    );
  }
  await pushLines(ours.url, bodies, lines[0].ports);
  await pushLines(theirUrl, bodies, lines[1].ports);
  // Both deliver what they have before they end.
  await Promise.all([ours.program.kill(), theirs.kill()]);
  const [mine, other] = sinks.map(({ requests }) => rowsByCase(requests, Date.now()));
  for (const [number, body] of pushBodies.entries()) {
    const key = body.key ?? String(number);
    assert.deepEqual(mine!.get(key), other!.get(key), `${body.protocol} ${body.path} ${body.query ?? ''}`);
  }
  for (const { option } of bodies) {
    assert.notEqual(mine!.get(option), undefined, option);
    assert.deepEqual(mine!.get(option), other!.get(option), option);
  }
});

test('what VictoriaMetrics exports is read', { skip: missingPrograms('victoria-metrics') }, async (t) => {
  const storage = await VictoriaMetrics.start(t, temporaryDirectory(t));
  const lines = Array.from({ length: 50 }, (_, series) => {
    const points = Array.from({ length: 1 + series * 20 }, (_, row) => row);
    return JSON.stringify({
      metric: { __name__: `m${series % 7}`, series: String(series), 'é"\u0001': 'x' },
      // Counters, gauges with decimals, constants, and numbers of all sizes.
      values: points.map(
        (row) =>
          [row * 3, Math.round(Math.sin(row) * 1e4) / 1e4, 5, (row - 3) * 10 ** (series % 30)][series % 4],
      ),
      timestamps: points.map(
        (row) => 1_700_000_000_000 + row * (series % 3 === 0 ? 15_000 : 15_000 + (row % 5)),
      ),
    });
  });
  await fetch(`${storage.url}/api/v1/import`, { method: 'POST', body: lines.join('\n') });
  await fetch(`${storage.url}/internal/force_flush`);
  const query = new URLSearchParams({ 'match[]': '{__name__!=""}', start: '0', end: '4102444800' });
  const [binary, text] = await Promise.all(
    ['export/native', 'export'].map(async (path) => {
      const response = await fetch(`${storage.url}/api/v1/${path}?${query}`);
      return new Uint8Array(await response.arrayBuffer());
    }),
  );
  const rowsFrom = (protocol: Protocol, bytes: Uint8Array) => {
    const { failure, rows } = parse(protocol, bytes);
    assert.equal(failure, undefined);
    return rows
      .flatMap(({ labels, samples }) => {
        const key = labels
          .map(({ name, value }) => `${name}=${value}`)
          .sort()
          .join();
        return samples.map(({ value, timestamp }) => `${key} ${value}@${timestamp}`);
      })
      .sort();
  };
  const rows = rowsFrom(native, binary!);
  assert.equal(rows.length, 50 + 20 * (49 * 25));
  assert.deepEqual(rows, rowsFrom(jsonLines, text!));
});

test('after a kill, rows without a timestamp have that of their first arrival', async (t) => {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const flags = [
    `-remoteWrite.url=http://127.0.0.1:${port}/api/v1/write`,
    '-remoteWrite.ack=written',
    ...FLAGS,
  ];
  const first = await startSluice(t, directory, flags);
  const firstMs = Date.now();
  const response = await fetch(`${first.url}/write?precision=ms`, { method: 'POST', body: 'm a=1,b=2\n' });
  assert.equal(response.status, 204);
  const lastMs = Date.now();
  await first.program.kill('SIGKILL');
  const sink = await startSink(t, { port });
  await startSluice(t, directory, flags);
  await until('the rows arrive', 20_000, () => sink.samples.samples > 0);
  const timestamps = [...sink.samples].map(({ timestampMs }) => timestampMs);
  assert.equal(new Set(timestamps).size, 1);
  assert.ok(
    timestamps[0]! >= firstMs && timestamps[0]! <= lastMs,
    `${firstMs} ≤ ${timestamps[0]} ≤ ${lastMs}`,
  );
});
