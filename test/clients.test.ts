import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Clients } from '../src/clients.ts';
import { noCounts, type Verdict } from '../src/model/body.ts';
import { FakeClock } from './support/fake-clock.ts';

const accepted = (samples: number): Promise<Verdict> =>
  Promise.resolve({ ok: true, counts: { ...noCounts, samples } });

test('samples are counted by address, whatever the port; refused ones are not', async () => {
  const clock = new FakeClock();
  const clients = new Clients(clock);
  clients.note('10.0.0.1:5000', accepted(3));
  clients.note('10.0.0.1:5001', accepted(4));
  clients.note('::1:80', accepted(1));
  clients.note('self', accepted(1));
  clients.note('10.0.0.2:1', Promise.resolve({ ok: false, status: 400, reason: 'malformed', error: '' }));
  await turn();
  assert.deepEqual(
    clients.top().map(({ key, weight }) => [key, weight]),
    [
      ['10.0.0.1', 7],
      ['::1', 1],
      ['self', 1],
    ],
  );
  clock.advance(5 * 60_000);
  clients.note('10.0.0.3:1', accepted(1));
  await turn();
  clock.advance(5 * 60_000);
  clients.note('10.0.0.3:1', accepted(1));
  await turn();
  assert.deepEqual(
    clients.top().map(({ key, weight }) => [key, weight]),
    [['10.0.0.3', 2]],
  );
});
