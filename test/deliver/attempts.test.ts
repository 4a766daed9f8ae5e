import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts } from '../../src/deliver/attempts.ts';
import type { Response } from '../../src/destination/destination.ts';
import { FakeClock } from '../support/fake-clock.ts';

const block = { codec: 'snappy', bytes: new Uint8Array(), rawLength: 0 } as const;

function setUp() {
  const clock = new FakeClock();
  const attempts = new Attempts(clock);
  const ended: boolean[] = [];
  attempts.listen({ ended: (worked) => ended.push(worked) });
  let answer: () => Promise<Response> = () => Promise.resolve({ status: 204, text: '' });
  const transport = attempts.watch({ send: () => answer(), close: () => Promise.resolve() });
  const send = (status: number | Error, signal = new AbortController().signal) => {
    answer = () =>
      typeof status === 'number' ? Promise.resolve({ status, text: '' }) : Promise.reject(status);
    return transport.send(block, signal).then(
      ({ status: seen }) => seen,
      () => 'rejected',
    );
  };
  return { clock, attempts, ended, send };
}

test('a destination fails from its first failure on until something works', async () => {
  const { clock, attempts, send, ended } = setUp();
  const startMs = clock.monotonicMs();
  assert.equal(attempts.failingSinceMs, undefined);
  assert.equal(await send(503), 503);
  clock.advance(1_000);
  assert.equal(await send(new Error('no connection')), 'rejected');
  assert.equal(attempts.failingSinceMs, startMs);
  clock.advance(1_000);
  assert.equal(await send(204), 204);
  assert.equal(attempts.failingSinceMs, undefined);
  assert.equal(attempts.lastSuccessMs, startMs + 2_000);
  assert.deepEqual(ended, [false, false, true]);
});

test('an answer about the block says that the destination works; credentials and paths do not', async () => {
  for (const [status, worked] of [
    [400, true],
    [413, true],
    [422, true],
    [401, false],
    [404, false],
    [429, false],
    [500, false],
  ] as const) {
    const { send, ended } = setUp();
    await send(status);
    assert.deepEqual(ended, [worked], `${status}`);
  }
});

test('what a stop breaks off is no failure', async () => {
  const { attempts, send, ended } = setUp();
  await send(new Error('aborted'), AbortSignal.abort());
  assert.equal(attempts.failingSinceMs, undefined);
  assert.deepEqual(ended, []);
});
