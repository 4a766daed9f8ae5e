import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { OptionKind, OptionSpec } from '../../src/config/option.ts';
import { defaultTextOf, formatValue, parseValue } from '../../src/config/value.ts';
import { Secret } from '../../src/util/secret.ts';

const spec = (kind: OptionKind, more: Partial<OptionSpec> = {}): OptionSpec => ({
  kind,
  default: undefined,
  summary: '',
  ...more,
});

function parse(kind: OptionKind, text: string, more: Partial<OptionSpec> = {}) {
  const parsed = parseValue(spec(kind, more), text);
  return parsed.ok ? parsed.value : `${parsed.message}; ${parsed.hint}`;
}

test('booleans are those of Go', () => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) assert.equal(parse('bool', text), true, text);
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False'])
    assert.equal(parse('bool', text), false, text);
  for (const text of ['yes', 'no', '', 'tRUE', '2']) {
    assert.equal(parse('bool', text), `${JSON.stringify(text)} is no boolean; write true or false`);
  }
});

test('whole numbers are those of Go, but a leading zero is refused', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['-0', 0],
    ['+5', 5],
    ['-64', -64],
    ['1_000', 1000],
    ['0x10', 16],
    ['-0x1F', -31],
    ['0o17', 15],
    ['0b101', 5],
  ];
  for (const [text, value] of cases) assert.equal(parse('int', text), value, text);
  for (const text of ['', '1.5', '010', '1e3', '1__0', '_1', '1_', '0x', ' 1', '9007199254740993', 'NaN']) {
    assert.match(String(parse('int', text)), /is no whole number; write a whole number/, text);
  }
});

test('other kinds', () => {
  assert.equal(parse('float', '-1.5e3'), -1500);
  assert.match(String(parse('float', 'Infinity')), /is no number/);
  assert.match(String(parse('float', '1e999')), /is no number/);
  assert.equal(parse('string', 'none'), 'none');
  assert.equal(parse('string', ''), '');
  assert.equal(parse('duration', '1h30m'), 5_400_000);
  assert.match(String(parse('duration', '5')), /"5" is no duration; write a number with a unit/);
  assert.equal(parse('bytes', '8MiB'), 8388608);
  assert.match(String(parse('bytes', 'many')), /"many" is no size; write a number of bytes/);
  const secret = parse('secret', 'canary');
  assert.ok(secret instanceof Secret);
  assert.equal(secret.reveal(), 'canary');
  assert.equal(parse('secret', ''), undefined);
});

test('values out of range and choice are refused in their own unit', () => {
  assert.equal(parse('int', '0', { min: 1 }), '0 is too small; give at least 1');
  assert.equal(parse('bytes', '64MiB', { max: 33554432 }), '64MiB is too large; give at most 32MiB');
  assert.equal(parse('duration', '-1s'), '-1s is too small; give at least 0s');
  assert.equal(parse('duration', '1ms', { min: 5 }), '1ms is too small; give at least 5ms');
  assert.equal(parse('bytes', '-1'), '-1 is too small; give at least 0');
  // A longer timer would fire at once.
  assert.match(String(parse('duration', '30d')), /30d is too large; give at most 24d/);
  assert.equal(parse('duration', '30d', { max: 1e12 }), 30 * 86_400_000);
  const choices = ['INFO', 'WARN'];
  assert.equal(parse('string', 'WARN', { choices }), 'WARN');
  assert.equal(parse('string', 'warn', { choices }), '"warn" is not a choice; did you mean WARN?');
  assert.equal(parse('string', 'xyz', { choices }), '"xyz" is not a choice; choose one of INFO, WARN');
  assert.equal(parse('string', '', { choices, arity: 'list' }), '');
});

test('defaults are shown as they are written', () => {
  assert.equal(defaultTextOf(spec('duration', { default: 60_000 })), '1m');
  assert.equal(defaultTextOf(spec('bytes', { default: 1048576 })), '1MiB');
  assert.equal(defaultTextOf(spec('bool', { default: true })), 'true');
  assert.equal(defaultTextOf(spec('bool', { default: false })), '');
  assert.equal(defaultTextOf(spec('string', { arity: 'list', default: [':1', ':2'] })), ':1,:2');
  assert.equal(defaultTextOf(spec('int', { default: 4, defaultText: '2 × CPUs' })), '2 × CPUs');
  assert.equal(defaultTextOf(spec('secret')), '');
});

test('every value is read back from the way it is shown', () => {
  const kinds: [OptionKind, fc.Arbitrary<number | boolean | string>][] = [
    ['int', fc.maxSafeInteger()],
    ['float', fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)],
    ['duration', fc.integer({ min: 0, max: 2 ** 31 - 1 })],
    ['bytes', fc.maxSafeNat()],
    ['bool', fc.boolean()],
    ['string', fc.string()],
  ];
  for (const [kind, arbitrary] of kinds) {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const read = parse(kind, formatValue(spec(kind), value));
        assert.ok(read === value || (read === 0 && value === 0), `${kind} ${value}`);
      }),
    );
  }
});
