import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StuckPlace } from '../../../src/queue/file/stuck.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const works = async () => {};
const fails = async () => {
  throw new Error('EIO');
};

test('a place is lost when it fails for ten seconds and the disk works otherwise', async () => {
  const clock = new FakeClock();
  const stuck = new StuckPlace(clock);
  assert.equal(await stuck.isLost('a', works), false);
  clock.advance(9_999);
  assert.equal(await stuck.isLost('a', works), false);
  clock.advance(1);
  assert.equal(await stuck.isLost('a', fails), false, 'the disk is gone');
  assert.equal(await stuck.isLost('a', works), true);
});

test('every place has its own time, and so has one that could be read meanwhile', async () => {
  const clock = new FakeClock();
  const stuck = new StuckPlace(clock);
  await stuck.isLost('a', works);
  clock.advance(10_000);
  assert.equal(await stuck.isLost('b', works), false);
  clock.advance(10_000);
  stuck.clear();
  assert.equal(await stuck.isLost('b', works), false);
});
