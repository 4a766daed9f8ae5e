import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Admission } from '../../src/ingest/admission.ts';
import { InsertMetrics } from '../../src/ingest/insert-metrics.ts';
import { LineStream } from '../../src/ingest/line-stream.ts';
import type { Verdict } from '../../src/model/body.ts';
import { graphite } from '../../src/protocol/graphite.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { FakeIntake, RecordingMeter, settled, verdictOf } from './harness.ts';

const LINE_MAX = 64;
const OVERLOADED: Verdict = { ok: false, status: 503, reason: 'overloaded', error: 'full', retryAfterS: 5 };

function start({ capacity = 4 } = {}) {
  const intake = new FakeIntake();
  const clock = new FakeClock();
  const meter = new RecordingMeter();
  const log = recordingLogger();
  const admission = new Admission({ capacity, maxQueueMs: 10_000 }, { clock, meter });
  const seen = { room: 0, broken: 0 };
  const stream = new LineStream(
    { protocol: 'graphite', parameters: { a: 'b' }, lineBytesMax: LINE_MAX, client: 'c' },
    {
      intake,
      admission,
      clock,
      log,
      metrics: new InsertMetrics(meter, graphite),
      errors: meter.counter('errors', ''),
      onRoom: () => void seen.room++,
      onBroken: () => void seen.broken++,
    },
  );
  const texts = () => intake.bodies.map(({ bytes }) => Buffer.from(bytes).toString());
  return { intake, clock, meter, log, admission, stream, seen, texts };
}

const bytes = (text: string) => new TextEncoder().encode(text);

test('whole lines go on, in order, and nothing is lost or said twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 20 }), { maxLength: 20 }),
      async (chunks) => {
        const { stream, texts } = start();
        for (const chunk of chunks) {
          stream.push(bytes(chunk));
          if (chunk.length % 3 === 0) await new Promise(setImmediate);
        }
        const all = chunks.join('');
        // A line above the limit ends the stream.
        const isGood = all.split('\n').every((line) => line.length <= LINE_MAX);
        stream.end(true);
        await stream.done;
        if (isGood) assert.equal(texts().join(''), all);
        for (const text of texts().slice(0, -1)) assert.ok(text.endsWith('\n'), JSON.stringify(text));
      },
    ),
    { numRuns: 50 },
  );
});

test('what is whole goes on at once, in one piece, with or without a line end', async () => {
  const { intake, stream, texts } = start();
  for (const [nth, chunk] of ['a\nb', 'c\n', 'd', '', '\n', 'e\nf'].entries()) {
    stream.push(bytes(chunk), true);
    await settled(() => intake.bodies.length === nth + 1);
  }
  assert.deepEqual(texts(), ['a\nb\n', 'c\n', 'd\n', '\n', '\n', 'e\nf\n']);
});

test('while one piece is under way the next one gathers', async () => {
  const { intake, stream, texts } = start();
  let answer = (_verdict: Verdict) => {};
  intake.judge = () =>
    new Promise<Verdict>((resolve) => {
      answer = resolve;
    });
  stream.push(bytes('a\n'));
  await settled(() => intake.bodies.length === 1);
  stream.push(bytes('b\nc'));
  stream.push(bytes('d\ne'));
  assert.deepEqual(texts(), ['a\n']);
  intake.judge = () => verdictOf({ samples: 1 });
  answer(verdictOf({ samples: 1 }));
  await settled(() => intake.bodies.length === 2);
  stream.end(false);
  await stream.done;
  assert.deepEqual(texts(), ['a\n', 'b\ncd\n'], 'the half line of a broken connection is left out');
  const [{ protocol, encoding, arrival }] = intake.bodies as [(typeof intake.bodies)[number]];
  assert.deepEqual([protocol, encoding, arrival?.parameters], ['graphite', 'plain', { a: 'b' }]);
});

test('what cannot be taken for the moment is tried again', async () => {
  const { intake, clock, stream, texts, admission } = start();
  intake.judge = () => OVERLOADED;
  stream.push(bytes('a\n'));
  await settled(() => intake.bodies.length === 1);
  await settled(() => admission.current === 0 && clock.timers > 0);
  intake.judge = () => verdictOf({ samples: 1 });
  stream.end(true);
  clock.advance(1_000);
  await stream.done;
  assert.deepEqual(texts(), ['a\n', 'a\n']);
});

test('it waits for a token like a request', async () => {
  const { intake, admission, clock, stream } = start({ capacity: 1 });
  assert.ok(admission.tryTake());
  stream.push(bytes('a\n'));
  assert.equal(admission.waiting, 1);
  clock.advance(10_000);
  assert.equal(admission.waiting, 0, 'refused');
  clock.advance(1_000);
  assert.equal(admission.waiting, 1, 'and in the queue again');
  admission.give();
  stream.end(true);
  await stream.done;
  assert.deepEqual([intake.bodies.length, admission.current], [1, 0]);
});

test('a source that is faster than the engine has to wait', async () => {
  const { intake, stream, seen } = start();
  let answer = (_verdict: Verdict) => {};
  intake.judge = () =>
    new Promise<Verdict>((resolve) => {
      answer = resolve;
    });
  stream.push(bytes('a\n'));
  await settled(() => intake.bodies.length === 1);
  while (!stream.isFull) stream.push(bytes('bbbbbbbbb\n'.repeat(1_000)));
  assert.ok(stream.pendingBytes > 256 * 1024);
  answer(verdictOf({}));
  await settled(() => seen.room === 1);
  assert.ok(!stream.isFull);
  await settled(() => intake.bodies.length === 2);
  answer(verdictOf({}));
  stream.end(true);
  await stream.done;
});

test('a line above the limit ends the stream', async () => {
  const { stream, seen, texts, meter, log } = start();
  stream.push(bytes('good\n'));
  stream.push(bytes('x'.repeat(LINE_MAX + 1)));
  await stream.done;
  assert.deepEqual([seen.broken, texts(), meter.value('errors')], [1, ['good\n'], 1]);
  assert.match(log.lines.at(-1)!.message, /too long/);
});

test('lines that are refused are counted, and the stream goes on', async () => {
  const { intake, stream, meter, texts } = start();
  intake.judge = (body) =>
    body.bytes[0] === 0x61
      ? { ok: false, status: 400, reason: 'malformed', error: 'no' }
      : verdictOf({ samples: 2 });
  stream.push(bytes('a\n'));
  await settled(() => meter.value('errors') === 1);
  stream.push(bytes('b\n'));
  stream.end(true);
  await stream.done;
  assert.deepEqual(texts(), ['a\n', 'b\n']);
  assert.equal(meter.value('vmagent_rows_inserted_total', { type: 'graphite' }), 2);
});
