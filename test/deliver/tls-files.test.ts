import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { TlsFiles } from '../../src/deliver/tls-files.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { valuesWith } from './support.ts';

test('a change of a file makes a new version, the same content does not', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'tls-'));
  t.after(() => rm(directory, { recursive: true }));
  const ca = path.join(directory, 'ca.pem');
  await writeFile(ca, 'one');
  const clock = new FakeClock();
  const files = new TlsFiles(valuesWith({ 'remoteWrite.tlsCAFile': ca }), clock);
  const versions: [number, unknown][] = [];
  for (const content of ['one', 'one', 'two']) {
    await writeFile(ca, content);
    clock.advance(1000);
    const { version, options } = await files.current();
    versions.push([version, options.ca]);
  }
  assert.deepEqual(versions, [
    [1, 'one'],
    [1, 'one'],
    [2, 'two'],
  ]);
});

test('certificates are checked and old protocols refused by default', async () => {
  const { options } = await new TlsFiles(valuesWith(), new FakeClock()).current();
  assert.deepEqual(options, { rejectUnauthorized: true, minVersion: 'TLSv1.2' });
});
