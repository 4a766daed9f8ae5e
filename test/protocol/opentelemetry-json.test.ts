import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requestOfJson } from '../../src/protocol/opentelemetry-json.ts';
import { decode } from './otlp-support.ts';

const translated = (text: string) => decode(requestOfJson(Buffer.from(text)), 'ExportMetricsServiceRequest');
const point = (members: string) =>
  `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{${members}}]}}]}]}]}`;
// biome-ignore lint/suspicious/noExplicitAny: the shape is that of the schema.
type AnyMessage = any;
const pointOf = (members: string): AnyMessage => {
  const { resourceMetrics }: AnyMessage = translated(point(members));
  return resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0];
};

const EVERYTHING = {
  resourceMetrics: [
    {
      resource: {
        attributes: [
          { key: 's', value: { stringValue: 'é "\n\u0001😀' } },
          { key: 'b', value: { boolValue: false } },
          { key: 'i', value: { intValue: '-9223372036854775808' } },
          { key: 'd', value: { doubleValue: 1.5e-7 } },
          { key: 'a', value: { arrayValue: { values: [{ stringValue: 'x' }, {}] } } },
          { key: 'k', value: { kvlistValue: { values: [{ key: 'x', value: { boolValue: true } }] } } },
        ],
      },
      scopeMetrics: [
        {
          scope: { name: 'lib', version: '1', attributes: [{ key: 'x', value: { stringValue: '' } }] },
          metrics: [
            {
              name: 'g',
              description: 'd',
              unit: 's',
              gauge: {
                dataPoints: [
                  { timeUnixNano: '18446744073709551615', asDouble: -0.5, flags: 4294967295 },
                  { asInt: '-1', attributes: [{ key: 'a', value: { stringValue: 'b' } }] },
                ],
              },
              metadata: [{ key: 'prometheus.type', value: { stringValue: 'info' } }],
            },
            { name: 'c', sum: { dataPoints: [{ asInt: '9007199254740993' }], isMonotonic: true } },
            {
              name: 'h',
              histogram: {
                dataPoints: [
                  {
                    count: '5',
                    sum: 0,
                    bucketCounts: ['1', '18446744073709551615'],
                    explicitBounds: [0.25],
                    flags: 1,
                  },
                ],
              },
            },
            {
              name: 'e',
              exponentialHistogram: {
                dataPoints: [
                  {
                    count: '5',
                    sum: 2,
                    scale: -2147483648,
                    zeroCount: '1',
                    zeroThreshold: 0.5,
                    positive: { offset: 2147483647, bucketCounts: ['1', '0', '18446744073709551615'] },
                    negative: { offset: -3, bucketCounts: ['1'] },
                  },
                ],
              },
            },
            {
              name: 's',
              summary: {
                dataPoints: [{ count: '5', sum: 2, quantileValues: [{ quantile: 0.5, value: 2 }] }],
              },
            },
          ],
        },
      ],
    },
  ],
};

test('everything that is read arrives as protobufjs reads it', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(translated(JSON.stringify(EVERYTHING)))), EVERYTHING);
  assert.deepEqual(
    JSON.parse(JSON.stringify(translated(JSON.stringify(EVERYTHING, undefined, 2)))),
    EVERYTHING,
  );
});

test('integers are texts or numbers, also with a fraction of zero', () => {
  for (const text of ['"5"', '5', '5.0', '"5e0"', '50e-1'])
    assert.equal(pointOf(`"asInt":${text}`).asInt, '5', text);
  assert.equal(pointOf('"asInt":-9007199254740993').asInt, '-9007199254740993');
  assert.equal(pointOf('"timeUnixNano":1700000000123456789').timeUnixNano, '1700000000123456789');
  assert.equal(pointOf('"timeUnixNano":1.7e18').timeUnixNano, '1700000000000000000');
});

test('doubles are numbers, or texts of numbers and what JSON has no number for', () => {
  const cases: [string, number][] = [
    ['1.5', 1.5],
    ['"1.5"', 1.5],
    ['-0', -0],
    ['1e400', Infinity],
    ['"NaN"', Number.NaN],
    ['"Infinity"', Infinity],
    ['"-Infinity"', -Infinity],
    ['7', 7],
  ];
  for (const [text, expected] of cases)
    assert.ok(Object.is(pointOf(`"asDouble":${text}`).asDouble, expected), text);
});

test('bytes are base64 of either alphabet', () => {
  const bytesOf = (text: string) =>
    pointOf(`"attributes":[{"key":"a","value":{"bytesValue":"${text}"}}]`).attributes[0].value.bytesValue;
  for (const text of ['AP/+', 'AP_-']) assert.deepEqual([...bytesOf(text)], [0, 255, 254], text);
  for (const text of ['eA==', 'eA']) assert.deepEqual([...bytesOf(text)], [0x78], text);
});

test('exemplars arrive as protobufjs reads them, with ids in hex or in base64', () => {
  const trace = '000102030405060708090A0b0c0d0eff';
  const exemplar = (ids: object) => ({
    ...ids,
    timeUnixNano: '5',
    filteredAttributes: [{ key: 'a', value: { stringValue: 'b' } }],
  });
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  for (const ids of [
    { traceId: trace, spanId: '00000000000000ab' },
    { traceId: base64(trace), spanId: base64('00000000000000ab') },
  ]) {
    for (const [kind, point] of [
      ['gauge', { asInt: '1' }],
      ['histogram', { count: '1' }],
      ['exponentialHistogram', { count: '1' }],
    ] as const) {
      const exemplars = [
        { ...exemplar(ids), asInt: '7' },
        { ...exemplar({}), asDouble: 0.5 },
      ];
      const data = { dataPoints: [{ ...point, exemplars }] };
      const json = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ [kind]: data }] }] }] });
      const { resourceMetrics }: AnyMessage = translated(json);
      const found = resourceMetrics[0].scopeMetrics[0].metrics[0][kind].dataPoints[0].exemplars;
      assert.deepEqual(Buffer.from(found[0].traceId).toString('hex'), trace.toLowerCase());
      assert.deepEqual(Buffer.from(found[0].spanId).toString('hex'), '00000000000000ab');
      const { traceId: _trace, spanId: _span, ...rest } = found[0];
      assert.deepEqual([rest, found[1]], [{ ...exemplar({}), asInt: '7' }, exemplars[1]]);
    }
  }
  assert.throws(() => translated(point('"exemplars":[{"traceId":"0g!"}]')), /traceId is not an id in hex/);
});

test('a temporality is a number or its name, and others make no difference', () => {
  const temporalityOf = (text: string) => {
    const metrics = `[{"exponentialHistogram":{"aggregationTemporality":${text}}}]`;
    const message: AnyMessage = translated(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":${metrics}}]}]}`);
    return (
      message.resourceMetrics[0].scopeMetrics[0].metrics[0].exponentialHistogram.aggregationTemporality ?? 0
    );
  };
  const cases = ['1', '"1"', '2', '"AGGREGATION_TEMPORALITY_DELTA"', '"AGGREGATION_TEMPORALITY_CUMULATIVE"'];
  assert.deepEqual(cases.map(temporalityOf), [1, 1, 2, 1, 2]);
  assert.deepEqual(['0', '9', '"x"'].map(temporalityOf), [0, 0, 0]);
});

test('unknown members are ignored, null is absent, names may have underscores', () => {
  const text = `{"new":{"a":[1,{"b":null}],"c":"}"},"resource_metrics":[{"schemaUrl":"u","resource":null,"scopeMetrics":[{"metrics":[
    {"name":"a","gauge":{"data_points":[{"asInt":1,"asDouble":null,"startTimeUnixNano":"1"}]},"sum":null}
  ]}]}]}`;
  assert.deepEqual(translated(text), {
    resourceMetrics: [
      { scopeMetrics: [{ metrics: [{ name: 'a', gauge: { dataPoints: [{ asInt: '1' }] } }] }] },
    ],
  });
  assert.deepEqual(translated('{}'), {});
  assert.deepEqual(translated('{"resourceMetrics":null}'), {});
});

test('what does not fit is told with its name and place', () => {
  const cases: [string, RegExp][] = [
    ['', /the body is not an object, at byte 0/],
    ['[]', /the body is not an object/],
    ['{} {}', /something follows the object, at byte 3/],
    ['{"a" 1}', /the name of a member is missing/],
    ['{"a":}', /the value of "a" is missing/],
    ['{"resourceMetrics":{}}', /resourceMetrics is not a list/],
    ['{"resourceMetrics":[null]}', /an item of resourceMetrics is null/],
    ['{"resourceMetrics":[1]}', /resourceMetrics is not an object/],
    ['{"resourceMetrics":[{} {}]}', /the items of resourceMetrics are not separated/],
    ['{"resourceMetrics":[]', /the members of an object are not separated/],
    ['{"resourceMetrics":nul}', /resourceMetrics has no value/],
    [point('"asInt":"x"'), /asInt is not an integer/],
    [point('"asInt":1.5'), /asInt is not an integer/],
    [point('"asInt":"9223372036854775808"'), /asInt is out of range/],
    [point(`"asInt":${'9'.repeat(10_000)}`), /asInt is out of range/],
    [point('"timeUnixNano":-1'), /timeUnixNano is out of range/],
    [point('"flags":4294967296'), /flags is out of range/],
    [point('"asDouble":"x"'), /asDouble is not a number/],
    [point('"asDouble":NaN'), /asDouble is not a number/],
    [point('"asDouble":true'), /asDouble is not a number/],
    [point('"asDouble":{}'), /asDouble has no value|asDouble is not a number/],
    [point('"attributes":[{"key":5}]'), /key is not a text/],
    [point('"attributes":[{"key":"a","value":{"boolValue":"true"}}]'), /boolValue is neither true nor false/],
    [point('"attributes":[{"key":"a","value":{"bytesValue":"é"}}]'), /bytesValue is not base64/],
  ];
  for (const [text, expected] of cases) assert.throws(() => translated(text), expected, text.slice(0, 100));
  const deep = '{"arrayValue":{"values":['.repeat(2_000);
  assert.throws(
    () => translated(point(`"attributes":[{"key":"a","value":${deep}`)),
    /nested more than 500 deep/,
  );
});

test('whatever JSON.stringify writes of texts and numbers is read back', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (text, double, integer) => {
        const members = {
          asDouble: double,
          attributes: [{ key: text, value: { intValue: String(integer) } }],
        };
        const found = pointOf(JSON.stringify(members).slice(1, -1));
        assert.ok(
          Object.is(found.asDouble, double + 0 === 0 ? 0 : double) || Object.is(found.asDouble, double),
        );
        assert.equal(found.attributes[0].key ?? '', text);
        assert.equal(found.attributes[0].value.intValue, String(integer));
      },
    ),
  );
});
