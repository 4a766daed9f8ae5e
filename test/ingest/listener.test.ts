/** Addresses that are listened on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpServer } from '../../src/ingest/server.ts';
import { systemClock } from '../../src/util/clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { FakeIntake, fetchText, RecordingMeter, startServer, valuesWith } from './harness.ts';

test('several addresses serve the same', async (t) => {
  const { server, intake } = await startServer(t, { httpListenAddr: ['127.0.0.1:0', '[::1]:0'] });
  assert.equal(server.addresses.length, 2);
  for (const url of server.urls) {
    const body = Uint8Array.of(1, 0, 97);
    assert.equal((await fetchText(`${url}/api/v1/write`, { method: 'POST', body })).status, 204);
  }
  assert.equal(intake.bodies.length, 2);
});

test('a port in use is told with the address, and nothing stays open', async (t) => {
  const { port } = await startServer(t);
  const server = new HttpServer({
    protocolOptions: {},
    values: valuesWith({ httpListenAddr: ['127.0.0.1:0', `127.0.0.1:${port}`] }),
    intake: new FakeIntake(),
    endpoints: [],
    clock: systemClock,
    meter: new RecordingMeter(),
    log: recordingLogger(),
  });
  await assert.rejects(server.listen(), (error: Error) => {
    assert.match(
      error.message,
      new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*; another`),
    );
    return true;
  });
  assert.deepEqual(server.addresses, []);
});
