/** Auth in front of the write paths; pages are in test/service. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { Secret } from '../../src/util/secret.ts';
import { fetchText, open, request, startServer } from './harness.ts';

const post = (body: Uint8Array, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: new Uint8Array(body),
  headers: { 'Content-Encoding': 'snappy', ...headers },
});
const random = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 2654435761) >>> 13);

test('basic auth comes before the body, on every write path', async (t) => {
  const { url, port, intake, meter } = await startServer(t, {
    'httpAuth.username': 'ann',
    'httpAuth.password': new Secret('pa:ss'),
  });
  const authorization = (text: string) => ({
    Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
  });
  const body = compress(random(9));
  for (const wrong of [{}, authorization('ann:pass'), authorization('bob:pa:ss'), authorization('ann')]) {
    const answer = await fetchText(`${url}/api/v1/write`, post(body, wrong));
    assert.deepEqual([answer.status, answer.body], [401, '']);
    assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="VictoriaMetrics"');
  }
  assert.equal((await fetchText(`${url}/api/v1/write`, post(body, authorization('ann:pa:ss')))).status, 204);
  assert.equal(intake.bodies.length, 1);
  const errors = { path: '*', reason: 'wrong_basic_auth' };
  assert.equal(meter.value('vm_http_request_errors_total', errors), 4);
  // The answer comes although the body never does.
  const socket = await open(t, port);
  socket.write(request({ 'Content-Length': 1000 }));
  const [first] = await once(socket, 'data');
  assert.match(String(first), /^HTTP\/1\.1 401 /);
});
