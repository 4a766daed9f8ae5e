import assert from 'node:assert/strict';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { basic } from '../../../src/deliver/auth/basic.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { valuesWith } from '../support.ts';

const request = { method: 'POST', url: new URL('http://x'), host: 'x', body: new Uint8Array() } as const;

test('user name and password, given or from files that are read again each second', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'auth-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'password');
  await writeFile(file, 'one\n');
  const clock = new FakeClock();
  const redactor = new Redactor();
  const values = valuesWith({
    'remoteWrite.basicAuth.username': 'u',
    'remoteWrite.basicAuth.passwordFile': file,
  });
  const auth = basic.open(values, { clock, env: {}, redactor });
  const password = async () => {
    const [[, value] = ['', '']] = await auth.headers(request);
    return Buffer.from(value.slice('Basic '.length), 'base64').toString();
  };
  assert.equal(await password(), 'u:one');
  await writeFile(file, 'two');
  assert.equal(await password(), 'u:one');
  clock.advance(1000);
  assert.equal(await password(), 'u:two');
  await unlink(file);
  clock.advance(1000);
  await assert.rejects(password(), /cannot read .*password: ENOENT/);
  await writeFile(file, 'three');
  clock.advance(1000);
  assert.equal(await password(), 'u:three');
  assert.equal(redactor.clean('it was three'), 'it was secret');
});
