import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { lookupWith, namingOf } from '../../src/deliver/resolve.ts';

test('the prefix of a host says how it is looked up', () => {
  const cases = [
    ['http://a.b:1/x', 'plain', 'a.b'],
    ['https://dns+a.b', 'dns', 'a.b'],
    ['http://srv+_w._tcp.a:1', 'srv', '_w._tcp.a'],
    ['http://[::1]:1', 'plain', '::1'],
    ['http://dnsa', 'plain', 'dnsa'],
  ] as const;
  for (const [url, naming, host] of cases) assert.deepEqual(namingOf(new URL(url)), { naming, host });
});

test('lookups take the form that connections want', async () => {
  const lookup = promisify(
    lookupWith({
      addresses: async (host) => (host === 'none' ? [] : ['10.0.0.1', 'fd00::1']),
      services: async () => [],
    }),
  ) as unknown as (host: string, options: object) => Promise<unknown>;
  assert.deepEqual(await lookup('a', { all: true }), [
    { address: '10.0.0.1', family: 4 },
    { address: 'fd00::1', family: 6 },
  ]);
  assert.equal(await lookup('a', {}), '10.0.0.1');
  await assert.rejects(lookup('none', {}), /no address for none/);
});
