/** Every protocol into the real daemon: what the destination got is what was meant, what vmagent makes of it, and in the ledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { pushBodies, pushBody, rowsByCase } from '../support/push-bodies.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const FLAGS = ['-remoteWrite.flushInterval=1s'];

test('every protocol arrives, is counted, and is in the ledger', async (t) => {
  const sink = await startSink(t);
  const { url, metrics } = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    ...FLAGS,
  ]);
  for (const [number, body] of pushBodies.entries()) {
    const { status, text } = await pushBody(url, body, number);
    assert.equal(status, body.status, `${body.path}: ${text}`);
    if (status === 400) assert.match(text, /^cannot .*: .*\n$/);
  }
  const page = await until('everything is delivered', 20_000, async () => {
    const samples = await metrics();
    const delivered = metricSum(samples, 'sluice_ledger_destination_samples', { column: 'delivered' });
    const received = metricSum(samples, 'sluice_ledger_destination_samples', { column: 'received' });
    return delivered !== undefined && delivered > 0 && delivered === received && samples;
  });
  assertLedgerBalances(page);
  const cases = rowsByCase(sink.requests, Date.now());
  const rows = [...cases.values()].reduce((sum, each) => sum + each.length, 0);
  let inserted = 0;
  for (const protocol of new Set(pushBodies.map((body) => body.protocol))) {
    const of = (name: string) => metricSum(page, name, { type: protocol }) ?? 0;
    assert.ok(of('vmagent_rows_inserted_total') > 0, protocol);
    assert.ok(of('vm_rows_invalid_total') > 0, protocol);
    assert.ok(of('vm_protoparser_rows_read_total') > 0, protocol);
    inserted += of('vmagent_rows_inserted_total');
    const requests = metricSum(page, 'vmagent_http_requests_total', { protocol });
    assert.equal(requests, pushBodies.filter((body) => body.protocol === protocol).length, protocol);
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
  const ours = await startSluice(t, temporaryDirectory(t), [`-remoteWrite.url=${sinks[0].url}`, ...FLAGS]);
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
  for (const [number, body] of pushBodies.entries()) {
    const answers = await Promise.all([ours.url, theirUrl].map((url) => pushBody(url, body, number)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [body.status, body.status],
      body.path,
    );
  }
  // Both deliver what they have before they end.
  await Promise.all([ours.program.kill(), theirs.kill()]);
  const [mine, other] = sinks.map(({ requests }) => rowsByCase(requests, Date.now()));
  for (const [number, body] of pushBodies.entries()) {
    const key = String(number);
    assert.deepEqual(mine!.get(key), other!.get(key), `${body.protocol} ${body.path} ${body.query ?? ''}`);
  }
});
