import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { IngestionRate } from '../../src/ingest/ingestion-rate.ts';
import { noCounts, type Verdict } from '../../src/model/body.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordingMeter } from './harness.ts';

const taken = (samples: number): Promise<Verdict> =>
  Promise.resolve({ ok: true, counts: { ...noCounts, samples } });

test('answers wait until their samples are paid for; refusals do not', async () => {
  const clock = new FakeClock();
  const rate = new IngestionRate(100, { clock, meter: new RecordingMeter() });
  const answered: string[] = [];
  const send = (name: string, verdict: Promise<Verdict>) =>
    void rate.pace(verdict).then(() => answered.push(name));
  send('first', taken(150));
  send('second', taken(10));
  send('refused', Promise.resolve({ ok: false, status: 400, reason: 'malformed', error: 'x' }));
  await turn();
  assert.deepEqual(answered.toSorted(), ['first', 'refused']);
  clock.advance(1_000);
  await turn();
  assert.ok(answered.includes('second'));
});

test('a stop lets everybody go', async () => {
  const rate = new IngestionRate(1, { clock: new FakeClock(), meter: new RecordingMeter() });
  await rate.pace(taken(1_000));
  const waiting = rate.pace(taken(1));
  rate.stop();
  assert.ok((await waiting).ok);
});

test('0 is no limit', async () => {
  const rate = new IngestionRate(0, { clock: new FakeClock(), meter: new RecordingMeter() });
  for (let nth = 0; nth < 10; nth++) assert.ok((await rate.pace(taken(1e9))).ok);
});
