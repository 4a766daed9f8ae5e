import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { HttpServer } from '../../src/ingest/server.ts';
import { systemClock } from '../../src/util/clock.ts';
import { atEnd } from '../support/cleanup.ts';
import { freePort } from '../support/process.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { FakeIntake, fetchText, RecordingMeter, settled, valuesWith } from './harness.ts';

test('a protocol is served at its own address, and where lines of a relative come in', async (t) => {
  const intake = new FakeIntake();
  const meter = new RecordingMeter();
  const [own, shared] = [await freePort(), await freePort()];
  const server = new HttpServer({
    values: valuesWith(),
    protocolOptions: {
      opentsdbHTTPListenAddr: `127.0.0.1:${own}`,
      opentsdbListenAddr: `127.0.0.1:${shared}`,
      'opentsdbhttp.maxInsertRequestSize': 100,
    },
    intake,
    meter,
    endpoints: [],
    clock: systemClock,
    log: recordingLogger(),
  });
  await server.listen();
  atEnd(t, () => server.close());
  const put = (port: number, path: string, body: string) =>
    fetchText(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
  for (const port of [own, shared]) {
    assert.equal((await put(port, '/api/put?extra_label=a=b', '{}')).status, 204);
    assert.equal((await put(port, '//api//put', '{}')).status, 204);
    const wrong = await put(port, '/api/query', '{}');
    assert.deepEqual(
      [wrong.status, wrong.body],
      [404, 'cannot serve "/api/query": there is no such path at this address; use /api/put\n'],
    );
    assert.equal((await put(port, '/api/put', 'x'.repeat(101))).status, 413);
  }
  assert.equal(
    (await put(server.addresses[0]!.port, '/api/put', '{}')).status,
    404,
    'not at the common address',
  );
  assert.equal(intake.bodies.length, 4);
  const [first] = intake.bodies;
  assert.deepEqual([first?.protocol, first?.extraLabels], ['opentsdbhttp', [{ name: 'a', value: 'b' }]]);
  const lines = connect({ port: shared, host: '127.0.0.1' });
  lines.end('put a 1 1\n');
  lines.resume();
  await once(lines, 'close');
  await settled(() => intake.bodies.length === 5);
  assert.equal(intake.bodies[4]!.protocol, 'opentsdb');
  assert.equal(meter.value('vmagent_http_requests_total', { path: '/api/put', protocol: 'opentsdbhttp' }), 6);
});

test('a protocol with an address of its own is there for tenants, too', async (t) => {
  const intake = new FakeIntake();
  const port = await freePort();
  const server = new HttpServer({
    values: valuesWith({ enableMultitenantHandlers: true }),
    protocolOptions: {
      opentsdbHTTPListenAddr: `127.0.0.1:${port}`,
      opentsdbListenAddr: '',
      'opentsdbhttp.maxInsertRequestSize': 100,
    },
    intake,
    meter: new RecordingMeter(),
    endpoints: [],
    clock: systemClock,
    log: recordingLogger(),
  });
  await server.listen();
  atEnd(t, () => server.close());
  const statusOf = async (path: string) => {
    const { status } = await fetchText(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: '{}' });
    return status;
  };
  assert.equal(await statusOf('/insert/5:6/opentsdb/api/put'), 204);
  assert.deepEqual(intake.bodies[0]!.tenant, { accountId: 5, projectId: 6 });
  assert.equal(await statusOf('/api/put'), 204);
  assert.equal(intake.bodies[1]!.tenant, undefined);
  assert.equal(await statusOf('/insert/5:x/opentsdb/api/put'), 400);
  assert.equal(await statusOf('/insert/5/api/put'), 404);
});
