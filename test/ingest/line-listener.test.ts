import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Admission } from '../../src/ingest/admission.ts';
import { type HttpTaker, LineListener, lineListenerSettings } from '../../src/ingest/line-listener.ts';
import { graphite } from '../../src/protocol/graphite.ts';
import { influx } from '../../src/protocol/influx.ts';
import { prometheusText } from '../../src/protocol/prometheus-text.ts';
import { systemClock } from '../../src/util/clock.ts';
import { atEnd } from '../support/cleanup.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { FakeIntake, RecordingMeter, settled } from './harness.ts';

async function startListener(t: TestContext, address = '127.0.0.1:0', http?: HttpTaker) {
  const intake = new FakeIntake();
  const meter = new RecordingMeter();
  const log = recordingLogger();
  const admission = new Admission({ capacity: 4, maxQueueMs: 1_000 }, { clock: systemClock, meter });
  const settings = lineListenerSettings(graphite, { graphiteListenAddr: address }, 10)!;
  const listener = new LineListener(graphite, settings, {
    intake,
    admission,
    clock: systemClock,
    meter,
    log,
    http,
  });
  atEnd(t, () => listener.close());
  await listener.listen();
  const text = () => intake.bodies.map(({ bytes }) => Buffer.from(bytes).toString()).join('');
  return { listener, intake, meter, log, text, port: listener.bound!.port };
}

test('lines of a connection are taken, the last one without its end too', async (t) => {
  const { port, text, meter } = await startListener(t);
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write('a 1\nb ');
  await settled(() => text() === 'a 1\n');
  socket.end('2\nc 3');
  await once(socket, 'close');
  await settled(() => text() === 'a 1\nb 2\nc 3');
  const labels = { type: 'graphite', name: 'write', net: 'tcp' };
  assert.equal(meter.value('vm_ingestserver_requests_total', labels), 1);
  assert.equal(meter.value('vm_tcplistener_accepts_total', { name: 'graphite', addr: '127.0.0.1:0' }), 1);
});

test('a connection that breaks leaves its half line behind', async (t) => {
  const { port, text, listener } = await startListener(t);
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write('a 1\nb 17');
  await settled(() => text() === 'a 1\n');
  socket.resetAndDestroy();
  await once(socket, 'close');
  await listener.close();
  assert.equal(text(), 'a 1\n');
});

test('datagrams at the same address are lines of their own', async (t) => {
  const { port, text, meter } = await startListener(t);
  const socket = createSocket('udp4');
  atEnd(t, () => socket.close());
  for (const datagram of ['a 1', 'b 2\n', 'c 3\nd 4']) {
    await new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve));
    await settled(() => text().includes(datagram));
  }
  assert.equal(text(), 'a 1\nb 2\nc 3\nd 4\n');
  assert.equal(
    meter.value('vm_ingestserver_requests_total', { type: 'graphite', name: 'write', net: 'udp' }),
    3,
  );
});

test('a line that never ends closes the connection', async (t) => {
  const { port, log } = await startListener(t);
  const socket = connect({ port, host: '127.0.0.1' });
  // It may be reset while it writes.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write('x'.repeat(400_000));
  await closed;
  assert.match(log.lines.at(-1)!.message, /too long/);
});

test('a connection that does not begin with p is handed on with what was read', async (t) => {
  const handed: string[] = [];
  const http: HttpTaker = {
    take(socket, begin) {
      handed.push(Buffer.from(begin).toString());
      socket.end('HTTP');
    },
  };
  const { port, text } = await startListener(t, '127.0.0.1:0', http);
  const lines = connect({ port, host: '127.0.0.1' });
  lines.end('put a 1 1\n');
  lines.resume();
  await once(lines, 'close');
  const other = connect({ port, host: '127.0.0.1' });
  other.write('GET /');
  const [answer] = await once(other, 'data');
  other.destroy();
  await settled(() => text() !== '');
  assert.deepEqual([text(), handed, String(answer)], ['put a 1 1\n', ['GET /'], 'HTTP']);
});

test('an address in use is told with the option', async (t) => {
  const { port } = await startListener(t);
  await assert.rejects(
    startListener(t, `127.0.0.1:${port}`),
    /^\w*: cannot listen on .*EADDRINUSE.*; set another -graphiteListenAddr$|cannot listen on .*EADDRINUSE.*; set another -graphiteListenAddr/,
  );
});

test('settings come from the options of the protocol', () => {
  assert.equal(lineListenerSettings(prometheusText, {}, 1), undefined);
  assert.equal(lineListenerSettings(graphite, { graphiteListenAddr: '' }, 1), undefined);
  assert.throws(
    () => lineListenerSettings(graphite, { graphiteListenAddr: 'nonsense' }, 1),
    /cannot listen on "nonsense"/,
  );
  const options = { influxListenAddr: ':8089', 'influx.maxLineSize': 7 };
  const settings = lineListenerSettings(influx, options, 1);
  assert.deepEqual([settings?.lineBytesMax, settings?.parameters], [7, { mode: 'stream' }]);
});
