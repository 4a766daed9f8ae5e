/** A relay of Graphite in front of the daemon: what goes into it, with and without tags, comes out at the destination. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { bitsOf } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const WITHIN_MS = 30_000;
const ROWS = 3_000;

test('carbon-c-relay hands on what it got', { skip: missingPrograms('carbon-c-relay') }, async (t) => {
  const sink = await startSink(t);
  const [graphite, listens] = [await freePort(), await freePort()];
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    `-graphiteListenAddr=127.0.0.1:${graphite}`,
    '-remoteWrite.flushInterval=100ms',
  ]);
  const config = path.join(temporaryDirectory(t), 'relay.conf');
  writeFileSync(
    config,
    `listen type linemode 127.0.0.1:${listens} proto tcp;
cluster sluice forward 127.0.0.1:${graphite} proto tcp;
match * send to sluice stop;
`,
  );
  // With characters of tags; without statistics of its own.
  const args = ['-f', config, '-c', '-_:#;=', '-s', '-w', '2', '-b', '100'];
  await startProgram(t, { name: 'carbon-c-relay', command: program('carbon-c-relay'), args });
  const socket = await until('the relay listens', WITHIN_MS, async () => {
    const attempt = connect(listens, '127.0.0.1');
    await once(attempt, 'connect');
    return attempt;
  });
  t.after(() => socket.destroy());
  const expected = new SampleStore();
  for (let nth = 0; nth < ROWS; nth++) {
    const timestampS = 1_700_000_000 + nth * 10;
    const value = nth % 7 === 0 ? nth / 8 : -nth;
    const name = `servers.web-${nth % 50}.load_1`;
    const tags: Record<string, string> = nth % 3 === 0 ? { dc: `eu-${nth % 4}`, role: 'db:main' } : {};
    const shown = Object.entries(tags).map(([tag, text]) => `;${tag}=${text}`);
    socket.write(`${name}${shown.join('')} ${value} ${timestampS}\n`);
    const points = [{ timestampMs: timestampS * 1_000, bits: bitsOf(value) }];
    expected.addAll([{ labels: { __name__: name, ...tags }, points }]);
  }
  socket.end();
  await until('everything arrives', WITHIN_MS, () => sink.samples.samples >= ROWS);
  for (const differences of [missingFrom(sink.samples, expected), missingFrom(expected, sink.samples)]) {
    assert.equal(differences.length, 0, describe(differences));
  }
  const page = await until('the ledger balances', WITHIN_MS, async () => {
    const found = await sluice.metrics();
    const [columns] = Object.values(assertLedgerBalances(found).destinations);
    return columns!.delivered === ROWS && found;
  });
  assert.equal(metricSum(page, 'vm_rows_invalid_total', { type: 'graphite' }), 0);
});
