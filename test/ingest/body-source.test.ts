import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { BodySource, SourceEnded } from '../../src/ingest/body-source.ts';
import { BodyWatch } from '../../src/ingest/body-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { settled } from './harness.ts';

const WINDOW_MS = 10_000;

function build(isEnded = false) {
  const request = new PassThrough();
  const clock = new FakeClock();
  const watch = new BodyWatch(WINDOW_MS, clock);
  const source = new BodySource(
    request as unknown as IncomingMessage,
    { watch, clock },
    { length: 0, isEnded },
  );
  return { request, clock, source };
}

const ended = (failure: string) => (error: unknown) =>
  error instanceof SourceEnded && error.failure === failure;

test('bytes come in order to who asks, and then the end', async () => {
  const { request, source } = build();
  request.write('one');
  assert.equal(String(await source.next()), 'one');
  request.end('two');
  assert.equal(String(await source.next()), 'two');
  assert.equal(await source.next(), undefined);
  assert.equal(await source.next(), undefined);
  assert.equal(source.length, 6);
});

test('while nobody asks little is read', async () => {
  const { request, source } = build();
  const chunk = Buffer.alloc(16 * 1024);
  for (let count = 0; count < 20; count++) request.write(chunk);
  await new Promise(setImmediate);
  assert.equal(source.length, 0);
  await source.next();
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  assert.ok(source.isPaused);
  assert.equal(source.length, 4 * chunk.length);
  for (let count = 1; count < 20; count++) assert.equal((await source.next())!.byteLength, chunk.length);
});

test('a body that was read whole has nothing more to give', async () => {
  const { source } = build(true);
  assert.equal(await source.next(), undefined);
});

test('a client that goes, a stop: who asks is told', async () => {
  const gone = build();
  const next = gone.source.next();
  gone.request.destroy();
  await assert.rejects(next, ended('gone'));
  const stopped = build();
  stopped.source.fail('stopping');
  await assert.rejects(stopped.source.next(), ended('stopping'));
  assert.ok(stopped.source.isStopping);
});

test('slow is who lets us wait, not whom we let wait', async () => {
  const patient = build();
  patient.clock.advance(100 * WINDOW_MS);
  const late = patient.source.next();
  patient.request.write('x'.repeat(4));
  assert.equal(String(await late), 'xxxx');
  const asked = patient.source.next();
  // Less than the window since somebody asks.
  patient.clock.advance(WINDOW_MS - 1_000);
  patient.request.write('y');
  assert.equal(String(await asked), 'y');
  const failing = patient.source.next();
  patient.clock.advance(3 * WINDOW_MS);
  await settled(() => patient.source.isPaused);
  await assert.rejects(failing, ended('too_slow'));
});
