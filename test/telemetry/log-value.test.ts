import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeJsonLine, loggedText, loggedValue } from '../../src/telemetry/log-value.ts';
import { SluiceError } from '../../src/util/error.ts';
import { Secret } from '../../src/util/secret.ts';

const rules = { lengthMax: 100, escapesControl: false };
const f = (value: unknown, expected: unknown) => assert.deepEqual(loggedValue(value, rules), expected);

test('plain values stay what they are', () => {
  f({ a: 1, b: 'x', c: true, d: null, e: [1, 'y'] }, { a: 1, b: 'x', c: true, d: null, e: [1, 'y'] });
});

test('what JSON cannot hold becomes text', () => {
  f(Number.NaN, 'NaN');
  f(10n, '10');
  f(new Uint8Array(5), '(5 bytes)');
  f(new Date(0), '1970-01-01T00:00:00.000Z');
  f(() => 1, undefined);
});

test('secrets never show, however deep they are', () => {
  const text = JSON.stringify(
    loggedValue(
      { a: new Secret('canary'), b: [{ c: new Secret('canary') }], u: 'http://u:canary@h/p' },
      rules,
    ),
  );
  assert.doesNotMatch(text, /canary/);
  assert.match(text, /"a":"secret"/);
});

test('errors of the environment explain themselves; others show their stack', () => {
  f(new SluiceError('x', 'cannot open a: b; do c'), 'cannot open a: b; do c');
  assert.match(
    String(loggedValue(new TypeError('oops'), { ...rules, lengthMax: 1_000 })),
    /^TypeError: oops\n {4}at /,
  );
  f(new SluiceError('x', 'outer', { cause: new Error('inner') }), 'outer: inner');
});

test('long texts lose their middle', () => {
  const text = loggedText('a'.repeat(500) + 'z'.repeat(500), rules);
  assert.equal(text, `${'a'.repeat(49)}..${'z'.repeat(49)}`);
  assert.equal(loggedText('a'.repeat(100), rules).length, 100);
});

test('deep, wide and hostile objects are bounded', () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  f(loop, { self: { self: { self: { self: { self: '…' } } } } });
  assert.equal((loggedValue(new Array(1_000).fill(1), rules) as unknown[]).length, 100);
  const hostile = {
    get boom(): string {
      throw new Error('no');
    },
  };
  f(hostile, '(cannot be shown: no)');
});

test('control characters become escapes where people read', () => {
  const text = loggedText('a\r\nb\u001b[31m\u009bc\u2028', { lengthMax: 100, escapesControl: true });
  assert.equal(text, 'a\\u000d\\nb\\u001b[31m\\u009bc\\u2028');
});

test('a line of JSON keeps its meaning without raw control characters', () => {
  const line = JSON.stringify({ a: '\u009b\u2028\u007f' });
  assert.deepEqual(JSON.parse(escapeJsonLine(line)), { a: '\u009b\u2028\u007f' });
  assert.match(escapeJsonLine(line), /^[\u0020-\u007e]*$/);
});
