import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { DirectResponse } from '../../src/ingest/direct-response.ts';

function responseOn(socket: Socket, { idleSeconds = 60, nowMs = 0 } = {}) {
  const ends: boolean[] = [];
  const onEnd = (isLast: boolean) => ends.push(isLast);
  return { ends, response: new DirectResponse({ socket, idleSeconds, nowMs: () => nowMs, onEnd }) };
}

test('there is one end: who is gone is not answered, and is told of once', (t) => {
  const socket = new Socket();
  const write = t.mock.method(socket, 'write', () => true);
  const { ends, response } = responseOn(socket);
  let closes = 0;
  response.on('close', () => closes++);
  response.close(true);
  response.writeHead(200, {}).end('late');
  response.close(true);
  assert.deepEqual([ends, closes, write.mock.callCount()], [[true], 1, 0]);
  assert.ok(response.headersSent && response.destroyed);
});

test('the date is of the second, and what has no limit is not told', (t) => {
  const socket = new Socket();
  const write = t.mock.method(socket, 'write', () => true);
  for (const nowMs of [0, 999, 1_000]) {
    const { response } = responseOn(socket, { nowMs, idleSeconds: nowMs === 999 ? 5 : 0 });
    response.statusCode = 204;
    response.end();
  }
  const head = (second: number, more = '') =>
    `HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:0${second} GMT\r\nConnection: keep-alive\r\n${more}\r\n`;
  assert.deepEqual(
    write.mock.calls.map((call) => String(call.arguments[0])),
    [head(0), head(0, 'Keep-Alive: timeout=5\r\n'), head(1)],
  );
});
