import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseProxy } from '../../src/deliver/proxy.ts';

const host = (target: string, env: Record<string, string>, proxyUrl = '') =>
  chooseProxy(new URL(target), proxyUrl, env)?.host;

test('the option wins, then the variable of the scheme', () => {
  const env = { HTTP_PROXY: 'http://h:1', https_proxy: 's:2' };
  assert.equal(host('http://x', env), 'h:1');
  assert.equal(host('https://x', env), 's:2');
  assert.equal(host('https://x', env, 'http://o:3'), 'o:3');
  assert.equal(host('http://x', {}), undefined);
  assert.equal(host('http://localhost', env, 'http://o:3'), 'o:3');
});

test('NO_PROXY and this machine are exceptions', () => {
  const cases: [string, string, boolean][] = [
    ['http://localhost', '', true],
    ['http://127.0.0.3:8428', '', true],
    ['http://[::1]', '', true],
    ['http://a.b', '*', true],
    ['http://a.b', 'a.b', true],
    ['http://x.a.b', 'a.b', true],
    ['http://xa.b', 'a.b', false],
    ['http://a.b', '.a.b', false],
    ['http://x.a.b', '.a.b', true],
    ['http://x.a.b', '*.a.b', true],
    ['http://a.b:80', 'z, a.b:80', true],
    ['http://a.b:81', 'a.b:80', false],
    ['http://10.1.2.3', '10.0.0.0/8', true],
    ['http://11.1.2.3', '10.0.0.0/8', false],
    ['http://10.1.2.3', '10.1.2.3', true],
    ['http://10.1.2.33', '10.1.2.3', false],
    ['http://[fd00::1]', 'fd00::/8', true],
    ['http://[fd00::1]', 'fd00::1', true],
    ['http://[fd00::1]:99', '[fd00::1]:98', false],
    ['http://a.b', '10.0.0.0/99,x/8,/', false],
  ];
  for (const [target, list, direct] of cases) {
    const proxy = host(target, { HTTP_PROXY: 'http://h:1', NO_PROXY: list });
    assert.equal(proxy === undefined, direct, `${target} with ${list}`);
  }
});
