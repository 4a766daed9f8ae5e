import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { flockHolder, holderIn } from '../../../src/queue/file/flock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const LOCKS = `1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:00:88 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
3: FLOCK  ADVISORY  READ  14 08:101:77 0 EOF
4: FLOCK  ADVISORY  WRITE 15 fe:00:77 0 EOF
`;

test('the holder is found by device and inode; other locks and those that wait are none', () => {
  assert.equal(holderIn(LOCKS, 0xfe00, 77), 15);
  assert.equal(holderIn(LOCKS, 0xfe00, 88), 12);
  assert.equal(holderIn(LOCKS, 0x100801, 77), 14);
  assert.equal(holderIn(LOCKS, 0xfe00, 99), undefined);
  assert.equal(holderIn('', 0xfe00, 77), undefined);
  assert.equal(holderIn('garbage\n1: FLOCK', 0xfe00, 77), undefined);
});

test('a file that nobody has locked, no file, and no list', async (t) => {
  const file = path.join(temporaryDirectory(t), 'flock.lock');
  assert.equal(await flockHolder(file), undefined);
  writeFileSync(file, '');
  assert.equal(await flockHolder(file), undefined);
  assert.equal(await flockHolder(file, '/nowhere'), undefined);
});
