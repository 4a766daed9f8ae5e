import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { WatchedFile } from '../../src/deliver/watched-file.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { serve } from './support.ts';

test('a file is read at most once a second, without the white space at its end', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'watched-'));
  t.after(() => rm(directory, { recursive: true }));
  const name = path.join(directory, 'token');
  const clock = new FakeClock();
  const file = new WatchedFile(name, clock);
  await assert.rejects(file.read(), /cannot read .*token: ENOENT/);
  await writeFile(name, ' one \n\n');
  await assert.rejects(file.read());
  clock.advance(1000);
  assert.equal(await file.read(), ' one');
  await writeFile(name, 'two');
  clock.advance(999);
  assert.equal(await file.read(), ' one');
  clock.advance(1);
  assert.equal(await file.read(), 'two');
});

test('a URL is read too, and its errors do not show it', async (t) => {
  const url = await serve(t, (request, reply) => {
    reply.writeHead(request.url === '/good' ? 200 : 403).end('from a server\n');
  });
  assert.equal(await new WatchedFile(`${url}/good`, new FakeClock()).read(), 'from a server');
  await assert.rejects(new WatchedFile(`${url}/canary`, new FakeClock()).read(), (error: Error) => {
    assert.doesNotMatch(error.message, /canary/);
    return true;
  });
});
