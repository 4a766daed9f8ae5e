import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clients } from '../src/clients.ts';
import { FakeClock } from './support/fake-clock.ts';

test('samples are counted by address, whatever the port, for the last five to ten minutes', () => {
  const clock = new FakeClock();
  const clients = new Clients(clock);
  clients.note('10.0.0.1:5000', 3);
  clients.note('10.0.0.1:5001', 4);
  clients.note('::1:80', 1);
  clients.note('self', 1);
  assert.deepEqual(
    clients.top().map(({ key, weight }) => [key, weight]),
    [
      ['10.0.0.1', 7],
      ['::1', 1],
      ['self', 1],
    ],
  );
  clock.advance(5 * 60_000);
  clients.note('10.0.0.3:1', 1);
  clock.advance(5 * 60_000);
  clients.note('10.0.0.3:1', 1);
  assert.deepEqual(
    clients.top().map(({ key, weight }) => [key, weight]),
    [['10.0.0.3', 2]],
  );
});

test('more connections than are remembered are counted all the same', () => {
  const clients = new Clients(new FakeClock());
  for (let port = 1; port <= 3_000; port++) clients.note(`10.0.0.${port % 3}:${port}`, 1);
  assert.deepEqual(
    clients.top().map(({ key, weight }) => [key, weight]),
    [
      ['10.0.0.0', 1_000],
      ['10.0.0.1', 1_000],
      ['10.0.0.2', 1_000],
    ],
  );
});
