import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csv } from '../../src/protocol/csv.ts';
import { NOW_MS, parse, receive, rowsOf } from './support.ts';

const given = (format: string) => ({ parameters: { format } });
const rows = (format: string, text: string) => rowsOf(csv, text, given(format));

test('every metric column of a row is a series', () => {
  const cases: [string, string, ...string[]][] = [
    ['1:metric:foo,2:metric:bar', '123,', 'foo{} 123@now'],
    ['1:metric:foo,2:metric:bar,3:metric:baz,4:metric:quux', '1,,,2', 'foo{} 1@now', 'quux{} 2@now'],
    ['2:metric:a,1:metric:b', '1,2', 'b{} 1@now', 'a{} 2@now'],
    ['1:label:a:b,2:metric:c:d', 'x,1', 'c:d{a:b="x"} 1@now'],
    ['1:label:l,2:metric:a,3:metric:b,4:label:m', 'x,1,2,y', 'a{l="x",m="y"} 1@now', 'b{l="x",m="y"} 2@now'],
    ['3:metric:a', 'x,"y,z",5,6,7', 'a{} 5@now'],
    ['1:metric:a,2:label:l', '1,', 'a{} 1@now'],
    ['1:metric:a,2:label:l', ',x'],
    ['1:metric:a', 'nan\ninf\n1e3', 'a{} NaN@now', 'a{} Infinity@now', 'a{} 1000@now'],
    ['1:metric:a', '1\r\n\r\n\n2', 'a{} 1@now', 'a{} 2@now'],
  ];
  for (const [format, text, ...expected] of cases)
    assert.deepEqual(rows(format, text), expected, `${format} ${text}`);
});

test('a cell may be in quotes of both kinds', () => {
  const label = (cell: string) => rows('1:metric:a,2:label:l', `1,${cell}`);
  assert.deepEqual(label('"foo"",bar"'), ['a{l="foo\\",bar"} 1@now']);
  assert.deepEqual(label(`'a,''b''"c'`), [`a{l="a,'b'\\"c"} 1@now`]);
  assert.deepEqual(label('a"b"c'), ['a{l="a\\"b\\"c"} 1@now']);
  assert.deepEqual(label(' "sp"'), ['a{l=" \\"sp\\""} 1@now']);
  assert.deepEqual(label('""'), ['a{} 1@now']);
  const both = rows('1:label:l,2:label:m,3:metric:a', '"x""","y""y","5"');
  assert.deepEqual(both, ['a{l="x\\"",m="y\\"y"} 5@now']);
});

test('timestamps', () => {
  const at = (kind: string, text: string) => {
    const { rows: found } = parse(csv, `1,1\n${text},1`, given(`1:time:${kind},2:metric:a`));
    return found[1]?.samples[0]?.timestamp;
  };
  const cases: [string, string, number | undefined][] = [
    ['unix_s', '5', 5_000],
    ['unix_s', '-5', -5_000],
    ['unix_s', '', NOW_MS],
    ['unix_s', '0', NOW_MS],
    ['unix_s', '1.5', undefined],
    ['unix_s', '12345678901234567', undefined],
    ['unix_ms', '1000', 1_000],
    ['unix_ns', '1700000000123999999', 1_700_000_000_123],
    ['unix_ns', '1', NOW_MS],
  ];
  for (const [kind, text, expected] of cases) assert.equal(at(kind, text), expected, `${kind} ${text}`);
  assert.deepEqual(rows('1:time:custom:2006-01-02 15:04:05.999Z,2:metric:a', '2015-08-10 20:04:40.123Z,1'), [
    'a{} 1@1439237080123',
  ]);
  assert.deepEqual(rows('1:time:rfc3339,2:metric:a', '2022-12-25T16:57:12.000+01:00,1'), [
    'a{} 1@1671983832000',
  ]);
  const trimmed = { ...given('1:metric:a,2:time:unix_ms'), options: { csvTrimTimestamp: 1_000 } };
  assert.deepEqual(rowsOf(csv, '1,1999', trimmed), ['a{} 1@1000']);
});

test('a first line that does not fit is a header', () => {
  const cases: [string, string, number][] = [
    ['1:metric:foo,2:metric:bar', '123,count\n1,2', 2],
    ['1:metric:foo', '12foobar\n1', 1],
    ['1:metric:foo,2:time:unix_s', '1,x\n1,5', 1],
  ];
  for (const [format, text, count] of cases) {
    const { rows: found, invalid } = parse(csv, text, given(format));
    assert.deepEqual([found.length, invalid], [count, 0], text);
  }
});

test('rows that make no sense are left out and counted', () => {
  const bad = ['12foobar,x', '1', '1,"open', '1,"x"y', "1,'a", '1,"a""', '1,x,"open', '+5,x', ' 1,x', '  '];
  const {
    rows: found,
    invalid,
    examples,
  } = parse(csv, ['1,x', ...bad, '2,y'].join('\n'), given('1:metric:a,2:label:l'));
  assert.deepEqual([found.length, invalid], [2, bad.length]);
  assert.equal(examples[0], 'line 2: a value is not a number: "12foobar,x"');
});

test('a bad format is refused before the body is read', () => {
  const refused = receive(csv, { query: 'format=1:time:foobar,2:metric:a' });
  assert.equal(refused.kind === 'refusal' && refused.status, 400);
  assert.equal(receive(csv).kind, 'refusal');
  const taken = receive(csv, { query: 'format=1:metric:a' });
  assert.deepEqual(taken.kind === 'body' && taken.parameters, { format: '1:metric:a' });
});

test('whatever is written is read back', () => {
  const cell = fc.string({ unit: fc.constantFrom(...'ab,"\' é0'), maxLength: 6 });
  const row = fc.record({
    labels: fc.tuple(cell, cell),
    quotes: fc.tuple(fc.boolean(), fc.boolean()),
    value: fc.double(),
    time: fc.integer({ min: 1 }),
  });
  const written = (text: string, isDouble: boolean) => {
    const quote = isDouble ? '"' : "'";
    return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
  };
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), (all) => {
      const text = all.map(({ labels, quotes, value, time }) => {
        const number = Object.is(value, -0) ? '-0' : String(value).replace('+', '');
        return `${written(labels[0], quotes[0])},${number},unused,${written(labels[1], quotes[1])},${time}`;
      });
      const format = '1:label:first,2:metric:m,4:label:second,5:time:unix_ms';
      const { rows: found, invalid } = parse(csv, text.join('\n'), given(format));
      assert.equal(invalid, 0);
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        all.map(({ labels: [first, second], value, time }) => ({
          labels: [
            { name: '__name__', value: 'm' },
            { name: 'first', value: first },
            { name: 'second', value: second },
          ].filter((label) => label.value !== ''),
          samples: [{ value, timestamp: time }],
        })),
      );
    }),
  );
});
