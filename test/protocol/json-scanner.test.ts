import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonScanner, unescapeJson } from '../../src/protocol/json-scanner.ts';
import { Scratch } from '../../src/protocol/scratch.ts';

function scannerOf(text: string): JsonScanner {
  const bytes = new TextEncoder().encode(`"${text}"`);
  const json = new JsonScanner(bytes);
  // What stands around the range is not looked at.
  json.open(1, bytes.byteLength - 1);
  return json;
}

function unescaped(text: string): string {
  const bytes = new TextEncoder().encode(`x${text}x`);
  const scratch = new Scratch();
  scratch.reserve(1, 0)[0] = 0x3e;
  const end = unescapeJson(bytes, 1, bytes.byteLength - 1, scratch, 1);
  return Buffer.from(scratch.bytes.subarray(0, end)).toString();
}

test('any JSON is stepped over', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('', ' ', '\n\t'), (text, blank) => {
      const json = scannerOf(`${blank}${text}${blank}`);
      assert.ok(json.skipValue(), text);
      assert.equal(json.peek(), -1, text);
    }),
  );
});

test('what is not JSON is not stepped over', () => {
  const open = '['.repeat(400);
  for (const text of [
    '',
    '{',
    '[',
    '[1',
    '[1,',
    '[1,]',
    '{"a"}',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{a:1}',
    '"',
    '"\\"',
    ',',
    'nul',
    '1a',
    'Enull',
    'Infinity',
    open,
  ]) {
    const json = scannerOf(text);
    assert.ok(!json.skipValue() || json.peek() !== -1, text);
  }
  assert.ok(!scannerOf(`${open}${']'.repeat(400)}`).skipValue(), 'too deep');
  assert.ok(scannerOf(`${'['.repeat(300)}${']'.repeat(300)}`).skipValue());
});

test('strings lose their escapes as JSON.parse does it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.boolean(), (text, inAscii) => {
      const json = JSON.stringify(text).slice(1, -1);
      const written = inAscii
        ? json.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
        : json;
      assert.equal(unescaped(written), `>${text}`);
    }),
  );
});

test('escapes that mean nothing stay as they are', () => {
  const cases: [string, string][] = [
    ['bad\\q', 'bad\\q'],
    ['\\u12', '\\u12'],
    ['\\u12g4', '\\u12g4'],
    ['\\ud83d', '\\ud83d'],
    ['\\ude00\\ud83d', '\ufffd'],
    ['\\ud83d\\u5e00e', '\ufffde'],
    ['\\ud83d\\ude00', '😀'],
    ['\\/', '/'],
    ['raw\ttab', 'raw\ttab'],
    ['end\\', 'end\\'],
  ];
  for (const [written, expected] of cases) assert.equal(unescaped(written), `>${expected}`, written);
});
