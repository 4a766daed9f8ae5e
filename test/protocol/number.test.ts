import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTimestamp, NumberReader } from '../../src/protocol/number.ts';

const reader = new NumberReader();

function inside(text: string, read: 'read' | 'readInteger' | 'readUnsigned'): number | undefined {
  // The range lies between digits, so that whoever reads past it is found out.
  const bytes = new TextEncoder().encode(`9${text}9`);
  return reader[read](bytes, 1, bytes.byteLength - 1) ? reader.value : undefined;
}

const numberIn = (text: string) => inside(text, 'read');
const integerIn = (text: string) => inside(text, 'readInteger');
const unsignedIn = (text: string) => inside(text, 'readUnsigned');

/** The grammar as a pattern, and JavaScript's own reader. */
function model(text: string): number | undefined {
  if (/^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  const special = /^(-?)\+?(inf|infinity|nan)$/i.exec(text);
  if (special === null) return undefined;
  if (special[2]!.toLowerCase() === 'nan') return Number.NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}

test('numbers are what vmagent takes for numbers', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['-0', -0],
    ['5.', 5],
    ['-5.', -5],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['00012', 12],
    ['1.e5', 1e5],
    ['1E5', 1e5],
    ['1e+5', 1e5],
    ['123456.789e-3', 123.456789],
    ['1e400', Infinity],
    ['-1e400', -Infinity],
    ['1e-400', 0],
    ['1e99999999999999999999', Infinity],
    ['1e-99999999999999999999', 0],
    ['0e999999999999', 0],
    ['9007199254740993', 9007199254740992],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['5e-324', Number.MIN_VALUE],
    ['0.000000000000000000000000000001', 1e-30],
    ['+Inf', Infinity],
    ['-+inf', -Infinity],
    ['-infinity', -Infinity],
    ['inFinity', Infinity],
    ['+nan', Number.NaN],
    ['-NaN', Number.NaN],
    ...[
      '+5',
      '.',
      '-',
      '',
      '-.',
      '1e',
      '1.e',
      '.e5',
      'e5',
      '0x10',
      '1_000',
      '--5',
      '++inf',
      '+-inf',
      'infin',
      '1e5.5',
    ].map((text): [string, undefined] => [text, undefined]),
    ...[' 1', '1 ', '1,5', 'nul', '1f', 'İnf'].map((text): [string, undefined] => [text, undefined]),
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(numberIn(text), expected, text);
    assert.deepEqual(model(text), expected, `the model: ${text}`);
  }
});

test('integers fill 64 bits and take no more', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['-0', 0],
    ['-7', -7],
    ['000000000000000000000000000012', 12],
    ['9223372036854775807', 2 ** 63],
    ['-9223372036854775808', -(2 ** 63)],
    ['9223372036854775808', undefined],
    ['-9223372036854775809', undefined],
    ['12345678901234567890', undefined],
    ...['', '-', '+1', '1.0', '1e3', ' 1', 'x', '--1'].map((text): [string, undefined] => [text, undefined]),
  ];
  for (const [text, expected] of cases) assert.deepEqual(integerIn(text), expected, text);
});

test('every double comes back from the shortest text for it, and from longer ones', () => {
  fc.assert(
    fc.property(fc.double(), fc.integer({ min: 1, max: 40 }), (value, digits) => {
      assert.deepEqual(numberIn(Object.is(value, -0) ? '-0' : String(value).replace('+', '')), value);
      if (Number.isFinite(value)) {
        const text = value.toExponential(digits);
        assert.deepEqual(numberIn(text), Number(text));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('any text is read as the model reads it', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789.-+eEinfatyNI'), maxLength: 24 });
  const decimal = fc
    .tuple(
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 20 }),
      fc.nat(9),
      fc.integer({ min: -30, max: 30 }),
    )
    .map(([whole, fraction, exponent]) => `${whole}.${fraction}e${exponent}`);
  fc.assert(
    fc.property(fc.oneof(text, decimal), (candidate) => {
      assert.deepEqual(numberIn(candidate), model(candidate));
    }),
    { numRuns: 5_000 },
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), (value) => {
      const isInt64 = value >= -(2n ** 63n) && value < 2n ** 63n;
      assert.deepEqual(integerIn(String(value)), isInt64 ? Number(value) : undefined);
      const isUint64 = value >= 0n && value < 2n ** 64n;
      assert.deepEqual(unsignedIn(`00${value}`), isUint64 ? Number(value) : undefined);
      if (isUint64 && value > 0n) assert.equal(reader.digits, String(value).length);
    }),
  );
});

test('timestamps are finite and within 64 bits', () => {
  assert.deepEqual([0, -1, 2 ** 62, -(2 ** 62)].map(isTimestamp), [true, true, true, true]);
  assert.deepEqual([2 ** 63, -(2 ** 63), Infinity, -Infinity, Number.NaN].map(isTimestamp), [
    false,
    false,
    false,
    false,
    false,
  ]);
});
