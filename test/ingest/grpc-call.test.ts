import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodingOf, percentEncoded, timeoutOf } from '../../src/ingest/grpc-call.ts';

test('messages of trailers are printable, and whole when decoded', () => {
  assert.equal(percentEncoded('100% é\n'), '100%25 %C3%A9%0A');
  assert.equal(percentEncoded('x'.repeat(5_000)).length, 1_000);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      assert.match(percentEncoded(text), /^[ -~]*$/);
      assert.equal(decodeURIComponent(percentEncoded(text)), text);
    }),
  );
});

test('timeouts are digits and a unit', () => {
  const cases: [string | undefined, number | undefined | 'bad'][] = [
    [undefined, undefined],
    ['10S', 10_000],
    ['5m', 5],
    ['1500000u', 1_500],
    ['2M', 120_000],
    ['1H', 3_600_000],
    ['0n', 0],
    ['99999999H', 86_400_000],
    ['', 'bad'],
    ['10', 'bad'],
    ['10s', 'bad'],
    ['-1S', 'bad'],
    ['123456789S', 'bad'],
  ];
  for (const [text, expected] of cases) assert.equal(timeoutOf(text), expected, text);
});

test('compression is gzip or none', () => {
  assert.equal(encodingOf({}), 'plain');
  assert.equal(encodingOf({ 'grpc-encoding': 'identity' }), 'plain');
  assert.equal(encodingOf({ 'grpc-encoding': 'gzip' }), 'gzip');
  for (const name of ['snappy', 'GZIP', 'constructor'])
    assert.equal(encodingOf({ 'grpc-encoding': name }), undefined);
});
