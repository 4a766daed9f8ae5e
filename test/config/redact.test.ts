import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactUrls, redactUserInfo } from '../../src/config/redact.ts';

test('credentials, queries and fragments of URLs are taken out', () => {
  const cases: [string, string][] = [
    ['http://user:canary@host:1/path', 'http://secret@host:1/path'],
    ['http://can@ry:c@n@host/p@th', 'http://secret@host/p@th'],
    ['https://host/path?token=canary', 'https://host/path?secret'],
    ['https://host/path#canary', 'https://host/path?secret'],
    ['see http://u:canary@a?x, http://canary@b', 'see http://secret@a?secret http://secret@b'],
    ['no URL: a@b?c', 'no URL: a@b?c'],
    ['', ''],
  ];
  for (const [text, shown] of cases) assert.equal(redactUrls(text), shown);
  assert.equal(redactUserInfo('http://u:p@host/?a=b'), 'http://secret@host/?a=b');
});
