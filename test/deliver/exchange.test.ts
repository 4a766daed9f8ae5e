import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { Exchange } from '../../src/deliver/exchange.ts';
import { FakeClock } from '../support/fake-clock.ts';

const KIB = 1024;

/** An exchange whose connection the test plays. */
function begin() {
  const aborts: string[] = [];
  const controller = {
    abort: (reason: Error) => aborts.push(reason.message),
  } as unknown as Dispatcher.DispatchController;
  const clock = new FakeClock();
  return { exchange: new Exchange(clock), controller, aborts, clock };
}

test('a status that says taken is the answer, whatever follows', async () => {
  const { exchange, controller, aborts } = begin();
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 100, {});
  exchange.onResponseStart(controller, 204, { 'x-a': '1' });
  assert.deepEqual(await exchange.answer, { status: 204, headers: { 'x-a': '1' }, text: '' });
  exchange.onResponseError(controller, new Error('reset'));
  assert.deepEqual(aborts, []);
});

test('any other status comes with the text that follows, as far as it comes', async () => {
  for (const isBroken of [false, true]) {
    const { exchange, controller } = begin();
    exchange.onRequestStart(controller);
    exchange.onResponseStart(controller, 400, {});
    exchange.onResponseData(controller, Buffer.from('out of '));
    exchange.onResponseData(controller, Buffer.from('order'));
    if (isBroken) exchange.onResponseError(controller, new Error('reset'));
    else exchange.onResponseEnd();
    assert.deepEqual(await exchange.answer, { status: 400, headers: {}, text: 'out of order' });
  }
});

test('of a long text the beginning is kept, and a very long one costs its connection', async () => {
  const { exchange, controller, aborts } = begin();
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 500, {});
  for (let i = 0; i < 64; i++) exchange.onResponseData(controller, Buffer.alloc(KIB, 'x'));
  assert.deepEqual(aborts, []);
  exchange.onResponseData(controller, Buffer.from('y'));
  assert.equal((await exchange.answer).text, 'x'.repeat(4 * KIB));
  assert.equal(aborts.length, 1);
});

test('what trickles in for too long is left, and only then', async () => {
  const { exchange, controller, aborts, clock } = begin();
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 503, {});
  exchange.onResponseData(controller, Buffer.from('wait'));
  await turn();
  clock.advance(4_999);
  assert.deepEqual(aborts, []);
  clock.advance(1);
  assert.equal((await exchange.answer).text, 'wait');
  assert.equal(aborts.length, 1);
});

test('nobody waits for the rest of an answer that is there as a whole', async () => {
  const { exchange, controller, aborts, clock } = begin();
  exchange.onRequestStart(controller);
  exchange.onResponseStart(controller, 200, {});
  exchange.onResponseEnd();
  await turn();
  clock.advance(10_000);
  assert.deepEqual(aborts, []);
});

test('without a status it fails as the connection did', async () => {
  const { exchange } = begin();
  exchange.onResponseError(undefined, new Error('no route'));
  await assert.rejects(exchange.answer, /no route/);
});

test('an abort ends it, and its connection as soon as there is one', async () => {
  for (const isEarly of [false, true]) {
    const { exchange, controller, aborts } = begin();
    if (!isEarly) exchange.onRequestStart(controller);
    exchange.abort(new Error('late'));
    await assert.rejects(exchange.answer, /late/);
    if (isEarly) exchange.onRequestStart(controller);
    assert.deepEqual(aborts, ['late']);
  }
});
