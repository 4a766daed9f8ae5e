import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  NAME,
  nameFromUrl,
  nameOfEndpoint,
  schemeOf,
  shownUrlOf,
  shownUrlOfEndpoint,
} from '../../src/config/identity.ts';

test('a name is made from host and port, and a hash of an unusual path', () => {
  const cases: [string, RegExp][] = [
    ['http://vm:8428/api/v1/write', /^vm-8428$/],
    ['http://vm:8428', /^vm-8428$/],
    ['http://vm:80/', /^vm$/],
    ['https://user:canary@vm.example.com/api/v1/write?key=canary', /^vm\.example\.com$/],
    ['http://vm:8428/insert/canary/prometheus/', /^vm-8428-[0-9a-f]{8}$/],
    ['http://[::1]:8428/api/v1/write', /^ip6-_1-8428$|^ip6-__1-8428$/],
    ['http://dns+vm:8428/api/v1/write', /^dns-vm-8428$/],
    ['file:sluice-data/samples.jsonl', /^file-samples\.jsonl-[0-9a-f]{8}$/],
    ['file:samples.jsonl', /^file-samples\.jsonl-[0-9a-f]{8}$/],
    ['not a URL canary', /^destination-[0-9a-f]{8}$/],
    [`http://${'a.'.repeat(60)}b/`, /^a\.[a.]+-[0-9a-f]{8}$/],
  ];
  for (const [url, expected] of cases) {
    const name = nameFromUrl(url);
    assert.match(name, expected);
    assert.match(name, NAME);
    assert.doesNotMatch(name, /canary/);
  }
});

test('credentials and query may change, host, port and path may not', () => {
  const name = nameFromUrl('http://a:1/x?k=1');
  assert.equal(nameFromUrl('http://u:p@a:1/x?k=2'), name);
  for (const other of ['http://b:1/x', 'http://a:2/x', 'http://a:1/y', 'http://a:1/']) {
    assert.notEqual(nameFromUrl(other), name);
  }
});

test('any URL gives a usable name', () => {
  const url = fc.oneof(
    fc.webUrl({ withQueryParameters: true }),
    fc.string(),
    fc.string().map((text) => `file:${text}`),
  );
  fc.assert(fc.property(url, (text) => assert.match(nameFromUrl(text), NAME)));
});

test('names stay inside the data directory', () => {
  for (const name of ['', '.', '..', '../x', 'a/b', 'a\\b', '-x', 'a b', 'ä', 'a\n', 'x'.repeat(65)]) {
    assert.doesNotMatch(name, NAME);
  }
  for (const name of ['a', 'A.b_c-9', '9', 'x'.repeat(64)]) assert.match(name, NAME);
});

test('the shown form hides the URL, or only its credentials', () => {
  assert.equal(shownUrlOf('http://u:canary@a/x?k=v', 0, false), '1:secret-url');
  assert.equal(shownUrlOf('http://u:canary@a/x?k=v', 1, true), '2:http://secret@a/x?k=v');
});

test('only what surely is a scheme is shown as one', () => {
  assert.equal(schemeOf('GOPHER://host'), 'gopher:');
  assert.equal(schemeOf('file:x'), 'file:');
  assert.equal(schemeOf('canary:password@host'), undefined);
  assert.equal(schemeOf('host:8428/path'), undefined);
});

test('endpoints of a service have names and shown forms of their own', () => {
  assert.equal(nameOfEndpoint('shard', { host: '10.0.0.1', port: 8480 }), 'shard-10.0.0.1-8480');
  assert.equal(nameOfEndpoint('shard', { host: 'fd00::1', port: 8480 }), 'shard-ip6-fd00__1-8480');
  const long = [1, 2].map((nth) => nameOfEndpoint('shard', { host: `${'x'.repeat(80)}${nth}`, port: 1 }));
  for (const name of long) assert.match(name, NAME);
  assert.notEqual(long[0], long[1]);
  const url = 'http://user:pass@10.0.0.1:8480/';
  assert.equal(shownUrlOfEndpoint(url, '10.0.0.1:8480', false), '1:secret-url@10.0.0.1:8480');
  assert.doesNotMatch(shownUrlOfEndpoint(url, '10.0.0.1:8480', true), /pass/);
});
