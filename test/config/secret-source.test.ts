import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { isReference, SecretSource } from '../../src/config/secret-source.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryDirectory } from '../support/process.ts';

test('references are file and http URLs', () => {
  for (const text of ['file:///a', 'file://./a', 'http://a', 'https://a'])
    assert.equal(isReference(text), true);
  for (const text of ['', 'secret', 'file:a', 'ftp://a', 'x file:///a'])
    assert.equal(isReference(text), false);
});

test('a file is read again when the secret is used, at most once a second', async (t) => {
  const file = join(temporaryDirectory(t), 'key');
  const clock = new FakeClock();
  const source = new SecretSource(`file://${file}`, 'flag -key', clock);
  writeFileSync(file, 'one \n\n');
  assert.equal(await source.current(), 'one');
  writeFileSync(file, 'two');
  clock.advance(999);
  assert.equal(await source.current(), 'one');
  clock.advance(1);
  assert.equal(await source.current(), 'two');
});

test('reveal gives the last secret at once and fetches the next; a failure keeps the old one', async () => {
  const clock = new FakeClock();
  let answer: () => Promise<string> = () => Promise.resolve('one');
  const source = new SecretSource('file:///x', 'flag -key', clock, () => answer());
  assert.throws(() => source.reveal(), /cannot use the secret of flag -key/);
  await source.current();
  assert.equal(source.reveal(), 'one');
  answer = () => Promise.resolve('two');
  clock.advance(1000);
  assert.equal(source.reveal(), 'one');
  await source.current();
  assert.equal(source.reveal(), 'two');
  answer = () => Promise.reject(new Error('canary'));
  clock.advance(1000);
  assert.equal(source.reveal(), 'two');
  await assert.rejects(source.current());
  assert.equal(source.reveal(), 'two');
});

test('a secret comes over HTTP; redirects and other statuses are failures that show nothing', async (t) => {
  let status = 200;
  const server = createServer((_, response) => {
    response.writeHead(status, { location: 'http://elsewhere.invalid/' }).end('canary\n');
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clock = new FakeClock();
  const source = new SecretSource(`http://127.0.0.1:${port}/token-canary`, 'flag -key', clock);
  assert.equal(await source.current(), 'canary');
  for (status of [302, 404]) {
    clock.advance(1000);
    const problem = await source.check();
    assert.equal(problem?.where, 'flag -key');
    assert.doesNotMatch(inspect(problem), /canary/);
    await assert.rejects(source.current(), (error) => !/canary/.test(inspect(error)));
  }
});

test('neither the secret nor its place shows', async () => {
  const source = new SecretSource('http://u:canary@host/', 'flag -key', new FakeClock(), () =>
    Promise.resolve('canary'),
  );
  await source.current();
  const shown = `${source} ${JSON.stringify(source)} ${inspect(source, { showHidden: true, depth: 9 })}`;
  assert.doesNotMatch(shown, /canary/);
  const failing = new SecretSource('file:///no/such/file', 'flag -key', new FakeClock());
  assert.deepEqual(await failing.check(), {
    where: 'flag -key',
    message: 'the secret cannot be read: ENOENT',
    hint: 'make it readable for this process',
  });
});
