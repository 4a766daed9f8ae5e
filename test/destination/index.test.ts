import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinationOf, destinations } from '../../src/destination/index.ts';

test('a URL finds its kind', () => {
  const cases = [
    ['http://a/api/v1/write', 'prometheus'],
    ['HTTPS://srv+a/', 'prometheus'],
    ['file:data/x.jsonl', 'file'],
    ['kafka://b', undefined],
    ['', undefined],
  ] as const;
  for (const [url, want] of cases) assert.equal(destinationOf(url)?.name, want);
});

test('kinds are registered under their names', () => {
  for (const [name, kind] of Object.entries(destinations)) assert.equal(kind.name, name);
});
