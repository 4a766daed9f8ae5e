import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BodySource } from '../../src/ingest/body-source.ts';
import { Streams } from '../../src/ingest/streams.ts';

const source = (failures: string[]) =>
  ({ fail: (why: string) => failures.push(why) }) as unknown as BodySource;

test('seats are limited, and come back', () => {
  const streams = new Streams();
  let seats = 0;
  while (streams.enter()) seats++;
  assert.equal(seats, 64);
  streams.leave();
  assert.deepEqual([streams.enter(), streams.enter()], [true, false]);
});

test('a stop ends those that are there and those that come', () => {
  const streams = new Streams();
  const failures: string[] = [];
  const left = source(failures);
  streams.add(left);
  streams.delete(left);
  streams.add(source(failures));
  streams.stop();
  assert.deepEqual(failures, ['stopping']);
  streams.add(source(failures));
  assert.deepEqual(failures, ['stopping', 'stopping']);
});
