import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { influx } from '../../src/protocol/influx.ts';
import { type Given, NOW_MS, parse, receive, rowsOf } from './support.ts';

const STREAM: Given = { parameters: { mode: 'stream' } };
const rows = (text: string, given: Given = {}) => rowsOf(influx, text, given);

test('every field of a line is a series with the tags of the line', () => {
  const cases: [string, ...string[]][] = [
    ['foo bar=123   ', 'foo_bar{} 123@now'],
    ['foo,tag1=x,tagN=,=xxx bar=1', 'foo_bar{tag1="x"} 1@now'],
    [',foo=bar baz=123', 'baz{foo="bar"} 123@now'],
    [' baz=123', 'baz{} 123@now'],
    ['foo bar=123.45 -345', 'foo_bar{} 123.45@-345000'],
    ['foo x="3 days, 21:01",q="-1.23",n="123" 1', 'foo_x{} 0@1000', 'foo_q{} -1.23@1000', 'foo_n{} 123@1000'],
    ['foo aa="f,= \\"a",bb=23u 48934', 'foo_aa{} 0@48934000', 'foo_bb{} 23@48934000'],
    [
      'fo\\,bar\\=b\\ az,x\\=\\ b=\\\\a\\,\\=\\q\\  \\\\\\a\\ b\\=\\,=4.34',
      'fo,bar=b az_\\\\a b=,{x= b="\\\\a,=\\\\q "} 4.34@now',
    ],
    ['m,a=b,a=c a=1,b=2 1', 'm_a{a="b",a="c"} 1@1000', 'm_b{a="b",a="c"} 2@1000'],
    ['m,a=b=c a=1 1', 'm_a{a="b=c"} 1@1000'],
    ['m a=1=2 1', 'm_a{} 0@1000'],
    ['m  a=1  1', 'm_a{} 1@1000'],
    ['m "a b"=1 1', 'm_"a b"{} 1@1000'],
    ['m,t="a b" a=1 1', 'm_b" a{t="\\"a"} 0@now'],
    ['m x=1,"a,b"=2 1', 'm_x{} 1@1000', 'm_"a,b"{} 2@1000'],
    ['m\\x a=1 1', 'm\\x_a{} 1@1000'],
    ['m a=1\t1', 'm_a{} 0@now'],
    [
      'm a=9223372036854775807i,b=18446744073709551615u 0',
      'm_a{} 9223372036854776000@now',
      'm_b{} 18446744073709552000@now',
    ],
  ];
  for (const [line, ...expected] of cases) assert.deepEqual(rows(line), expected, line);
});

test('values are what they seem, and text that is no number is 0', () => {
  const line =
    'm a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE,k=tRue,l=yes,m=1.5x,o=+5,p=inf,q=-inf,r=nan,s=1e400,t=-,v=5.,w="",x="1e5" 1';
  const values = parse(influx, line).rows.map(({ samples }) => samples[0]!.value);
  assert.deepEqual(values, [
    1,
    1,
    1,
    1,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    Infinity,
    -Infinity,
    Number.NaN,
    Infinity,
    0,
    5,
    0,
    100_000,
  ]);
});

const badLines = [
  'foo bar=1abci',
  'foo bar=1, 123',
  'foo =123',
  'foo,bar baz',
  'foo bar="x',
  'foo bar=1 baz',
  'cpu u=1 1.5',
  'foo',
  'GET /x HTTP/1.1',
  'm a=-1u',
  'm a=i',
  'm a=u',
  'm a=9223372036854775808i',
  'm a=',
  'm a= 1',
  'm a=1,b 1',
  'm a=1,,b=2 1',
  'm,a a=1',
  'm, a=1',
  'm a="x"y 1',
  'm a="',
  'm a=1 1 1',
  'm a=1 +5',
  'm a=1 99999999999999999999',
  'm\\ a=1',
  '  m a=1',
  'm\ta=1 1',
  'm a=1 1\\',
  '   ',
  'm a=1 1 ',
];

test('one bad line refuses the request', () => {
  for (const line of badLines) {
    const { failure } = parse(influx, `good a=1 1\n${line}\ngood a=2 2`);
    assert.match(failure ?? '', /^cannot read line 2, ".*": .+/, line);
  }
  const { failure } = parse(influx, 'm a="multi\nline" 1');
  assert.match(failure ?? '', /cannot read line 1.*text over several lines/);
});

test('as a stream, bad lines are left out and counted', () => {
  for (const line of badLines) {
    const { rows: taken, invalid, rowsRead } = parse(influx, `good a=1 1\n${line}\ngood a=2,b=3 2`, STREAM);
    assert.deepEqual([taken.length, invalid, rowsRead], [3, 1, 2], line);
  }
  const tooLong = parse(influx, `m a=1 1\nm,t=${'x'.repeat(300_000)} a=1`, STREAM);
  assert.match(tooLong.failure ?? '', /^cannot read line 2: .* -influx\.maxLineSize/);
  assert.equal(parse(influx, `m,t=${'x'.repeat(300_000)} a=1`).failure, undefined);
});

test('comments and empty lines are no rows', () => {
  const { rows: taken, invalid } = parse(influx, '# comment\n\n\r\nm a=1 1\r\n', STREAM);
  assert.deepEqual([taken.length, invalid], [1, 0]);
});

test('timestamps are in the precision that is given, else guessed by their size', () => {
  const at = (text: string, precision = '') => {
    return parse(influx, `m a=1 ${text}`, { parameters: { precision } }).rows[0]!.samples[0]!.timestamp;
  };
  const cases: [string, string, number][] = [
    ['', '', NOW_MS],
    ['0', '', NOW_MS],
    ['1', '', 1_000],
    ['1700000000', '', 1_700_000_000_000],
    ['99999999999', '', 99_999_999_999_000],
    ['100000000000', '', 100_000_000_000],
    ['99999999999999', '', 99_999_999_999_999],
    ['100000000000000', '', 100_000_000_000],
    ['99999999999999999', '', 99_999_999_999_999],
    ['100000000000000000', '', 100_000_000_000],
    ['1700000000123999999', '', 1_700_000_000_123],
    ['-100000000000', '', -100_000_000_000_000],
    ['1700000000123999999', 'ns', 1_700_000_000_123],
    ['-1700000000123999999', 'ns', -1_700_000_000_123],
    ['999999', 'ns', 0],
    ['1700000000123456', 'u', 1_700_000_000_123],
    ['1700000000123456', 'us', 1_700_000_000_123],
    ['1700000000123456', 'µ', 1_700_000_000_123],
    ['1700000000123', 'ms', 1_700_000_000_123],
    ['0', 'ms', NOW_MS],
    ['1700000000', 's', 1_700_000_000_000],
    ['28333333', 'm', 1_699_999_980_000],
    ['472222', 'h', 1_699_999_200_000],
    ['', 's', 1_790_000_000_000],
    ['', 'h', 1_789_999_200_000],
    ['1700000000123', 'n', 1_700_000_000_123],
    ['1', 'toString', 1_000],
  ];
  for (const [text, precision, expected] of cases)
    assert.equal(at(text, precision), expected, `${text} ${precision}`);
  const options = { influxTrimTimestamp: 1_000 };
  assert.deepEqual(rows('m a=1 1700000000999', { options }), ['m_a{} 1@1700000000000']);
});

test('the database is a label unless a tag of its name is there', () => {
  const parameters = { db: 'mydb' };
  assert.deepEqual(rows('m,t=1 a=1,b=2 1', { parameters }), [
    'm_a{t="1",db="mydb"} 1@1000',
    'm_b{t="1",db="mydb"} 2@1000',
  ]);
  assert.deepEqual(rows('m,db=own a=1 1', { parameters }), ['m_a{db="own"} 1@1000']);
  assert.deepEqual(rows('m,db= a=1 1', { parameters }), ['m_a{db="mydb"} 1@1000']);
  assert.deepEqual(rows('m a=1 1', { parameters, options: { influxDBLabel: 'base' } }), [
    'm_a{base="mydb"} 1@1000',
  ]);
});

test('flags decide how metrics are named', () => {
  const named = (line: string, options: Given['options']) => {
    return parse(influx, line, { options: options! }).rows.map(({ labels }) => labels[0]!.value);
  };
  assert.deepEqual(named('m a=1', { influxMeasurementFieldSeparator: '::' }), ['m::a']);
  assert.deepEqual(named('m a=1', { influxMeasurementFieldSeparator: '' }), ['ma']);
  assert.deepEqual(named('m a=1', { influxSkipSingleField: true }), ['m']);
  assert.deepEqual(named(' a=1', { influxSkipSingleField: true }), ['a']);
  assert.deepEqual(named('m a=1,b=2', { influxSkipSingleField: true }), ['m_a', 'm_b']);
  assert.deepEqual(named('m a=1', { influxSkipMeasurement: true }), ['a']);
});

test('heads: modes, databases, health', () => {
  const query = receive(influx, { path: '/query', options: { 'influx.databaseNames': ['a', 'b'] } });
  assert.equal(
    query.kind === 'answer' && query.answer.body,
    '{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["a"],["b"]]}]}]}',
  );
  const health = receive(influx, { path: '/influx/health' });
  assert.match((health.kind === 'answer' && health.answer.body) || '', /"status":"pass"/);
  const modeOf = (head: Parameters<typeof receive>[1]) => {
    const reception = receive(influx, head);
    return reception.kind === 'body' && reception.parameters?.mode;
  };
  assert.equal(modeOf({}), undefined);
  assert.equal(modeOf({ headers: { 'stream-mode': '1' } }), 'stream');
  assert.equal(modeOf({ options: { 'influx.forceStreamMode': true } }), 'stream');
  const write = receive(influx, { path: '/api/v2/write', query: 'db=d&precision=ms&org=o' });
  assert.deepEqual(write.kind === 'body' && write.parameters, { db: 'd', precision: 'ms' });
});

const text = fc.string({ unit: fc.constantFrom(...'ab ,=\\"é'), minLength: 1, maxLength: 6 });
// A backslash at the end would escape what follows.
const name = text.filter((one) => !one.includes('\\') && !one.includes('"'));

test('whatever is written in the format is read back', () => {
  const written = (value: string) => value.replace(/[ ,=]/g, '\\$&');
  const line = fc.record({
    measurement: name.map((one) => one.replace(/^#/, '')),
    tags: fc.array(fc.tuple(name, name), { maxLength: 3 }),
    fields: fc.array(fc.tuple(name, fc.double()), { minLength: 1, maxLength: 3 }),
    timestamp: fc.bigInt({ min: 10n ** 17n, max: 2n ** 63n - 1n }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      const body = lines.map(({ measurement, tags, fields, timestamp }) => {
        const head = [
          written(measurement),
          ...tags.map(([key, value]) => `${written(key)}=${written(value)}`),
        ];
        const values = fields.map(([key, value]) => {
          return `${written(key)}=${Object.is(value, -0) ? '-0' : String(value).replace('+', '')}`;
        });
        return `${head.join(',')} ${values.join(',')} ${timestamp}`;
      });
      const expected = lines.flatMap(({ measurement, tags, fields, timestamp }) =>
        fields.map(([key, value]) => ({
          labels: [
            { name: '__name__', value: `${measurement}_${key}` },
            ...tags.map(([name, tag]) => ({ name, value: tag })),
          ],
          samples: [{ value, timestamp: Number(timestamp / 1_000_000n) }],
        })),
      );
      const { failure, rows: found } = parse(influx, body.join('\n'));
      assert.equal(failure, undefined);
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        expected,
      );
    }),
  );
});
