import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdminAddress } from '../../src/service/admin-address.ts';
import { temporaryDirectory } from '../support/process.ts';

test('a short path stays, a long one fits into an address and leads to the same file', async (t) => {
  const directory = temporaryDirectory(t);
  assert.equal(await new AdminAddress(directory).pathOf('x'), join(directory, 'x'));
  const deep = join(directory, 'y'.repeat(120));
  await mkdir(deep);
  await writeFile(join(deep, 'x'), 'here');
  const address = new AdminAddress(deep);
  const short = await address.pathOf('x');
  assert.ok(Buffer.byteLength(short) <= 107);
  assert.equal(await readFile(short, 'utf8'), 'here');
  await address.close();
  await assert.rejects(new AdminAddress(join(deep, 'z')).pathOf('x'), { code: 'ENOENT' });
});
