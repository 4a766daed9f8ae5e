import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SelfScrape } from '../../src/ingest/self-scrape.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { bitsOf, decodeWriteRequest, decompressBody } from '../support/remote-write.ts';
import { FakeIntake } from './harness.ts';

const TEXT = '# HELP up is it\n# TYPE up gauge\nup{z="1",job="theirs",a="2"} 1\ninf -Inf\nnan NaN\n';

function build(settings: { intervalMs?: number; metadata?: boolean } = {}) {
  const clock = new FakeClock(1_790_000_000_000);
  const intake = new FakeIntake();
  const log = recordingLogger();
  const page = { text: () => Promise.resolve(TEXT) };
  const scrape = new SelfScrape(
    { intervalMs: 1_000, job: 'sluice', instance: 'one', metadata: true, ...settings },
    { metricsText: () => page.text(), intake, clock, log },
  );
  return { clock, intake, log, page, scrape };
}

const turn = () => new Promise(setImmediate);

test('the own metrics become a remote-write body with job and instance, labels in order', async () => {
  const { intake, scrape } = build();
  await scrape.scrape();
  const [body] = intake.bodies;
  assert.deepEqual(
    [body!.protocol, body!.encoding, body!.client],
    ['promremotewrite', 'snappy-or-zstd', 'self'],
  );
  const { series, families } = decodeWriteRequest(decompressBody(body!.bytes, 'snappy'));
  const target = { instance: 'one', job: 'sluice' };
  assert.deepEqual(series[0]!.labels, { __name__: 'up', a: '2', ...target, z: '1' });
  assert.deepEqual(Object.keys(series[0]!.labels), ['__name__', 'a', 'instance', 'job', 'z']);
  assert.deepEqual(
    series.map(({ points }) => points),
    [1, Number.NEGATIVE_INFINITY, Number.NaN].map((value) => [
      { timestampMs: 1_790_000_000_000, bits: bitsOf(value) },
    ]),
  );
  assert.deepEqual(families, ['up']);
});

test('no metadata without -enableMetadata', async () => {
  const { intake, scrape } = build({ metadata: false });
  await scrape.scrape();
  assert.deepEqual(decodeWriteRequest(decompressBody(intake.bodies[0]!.bytes, 'snappy')).families, []);
});

test('one scrape an interval, none after the stop, none at all with interval 0', async () => {
  const { clock, intake, scrape } = build();
  scrape.start();
  for (let count = 1; count <= 3; count++) {
    clock.advance(999);
    await turn();
    assert.equal(intake.bodies.length, count - 1);
    clock.advance(1);
    await turn();
    assert.equal(intake.bodies.length, count);
  }
  await scrape.stop();
  clock.advance(10_000);
  await turn();
  assert.equal(intake.bodies.length, 3);
  const never = build({ intervalMs: 0 });
  never.scrape.start();
  assert.equal(never.clock.timers, 0);
});

test('while a scrape waits for the engine, no other one begins', async () => {
  const { clock, intake, scrape } = build();
  const { promise, resolve } = Promise.withResolvers<never>();
  intake.judge = () => promise;
  scrape.start();
  for (let count = 0; count < 5; count++) {
    clock.advance(1_000);
    await turn();
  }
  assert.equal(intake.bodies.length, 1);
  resolve({ ok: true, counts: {} } as never);
  await scrape.stop();
});

test('a failure is told and the next interval tries again', async () => {
  const { clock, intake, log, page, scrape } = build();
  scrape.start();
  page.text = () => Promise.reject(new Error('no metrics'));
  clock.advance(1_000);
  await turn();
  page.text = () => Promise.resolve(TEXT);
  intake.judge = () => ({ ok: false, status: 503, reason: 'overloaded', error: 'busy' });
  clock.advance(1_000);
  await turn();
  assert.equal(log.lines.length, 2);
  assert.match(JSON.stringify(log.lines), /no metrics.*busy/);
  assert.equal(intake.bodies.length, 1);
  await scrape.stop();
});
