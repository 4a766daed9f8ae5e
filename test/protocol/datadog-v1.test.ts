import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { datadogV1 } from '../../src/protocol/datadog-v1.ts';
import { NOW_MS, parse, receive, rowsOf } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const rows = (text: string, options = {}) =>
  rowsOf(datadogV1, text, { options }).map((row) => row.replaceAll(NOW_S, 'now'));
const one = (more: string) => `{"series":[{"metric":"m","points":[[1,2]]${more}}]}`;

test('a series has its host, its device and its tags as labels', () => {
  const cases: [string, ...string[]][] = [
    [
      one(',"host":"h","device":"d","tags":["a:b:c","nov","host:x","k:"," s : t ","",":v"]'),
      'm{host="h",device="d",a="b:c",nov="no_label_value",exported_host="x",k="", s =" t "} 2@1000',
    ],
    ['{"Series":[{"METRIC":"up","Points":[[1,2]]}]}', 'up{} 2@1000'],
    [
      '{"series":[{"metric":"m","points":[[1700000000.5,1],[0,2],[-5,3],[5],[null,4],[6,null]]}]}',
      'm{} 1@1700000000500 2@now 3@now 0@5000 4@now 0@6000',
    ],
    ['{"series":[{"metric":"m","points":[[1.9999,2,3]]}]}', 'm{} 2@1999'],
    ['{"series":[{"points":[[1,2]]}]}', '{} 2@1000'],
    [one(',"host":"","device":null,"tags":null,"type":"gauge","interval":10'), 'm{} 2@1000'],
    ['{"series":[{"metric":"m","points":null}]}'],
    ['{}'],
    ['{"series":null}'],
  ];
  for (const [text, ...expected] of cases) assert.deepEqual(rows(text), expected, text);
});

test('names are cleaned unless that is switched off', () => {
  const text = '{"series":[{"metric":"sys.load!1","points":[[1,2]]}]}';
  assert.deepEqual(rows(text), ['sys.load_1{} 2@1000']);
  assert.deepEqual(rows(text, { 'datadog.sanitizeMetricName': false }), ['sys.load!1{} 2@1000']);
});

test('what is not of the form refuses the request', () => {
  const bad = [
    'x',
    '{}x',
    '[]',
    '[{"metric":"m"}]',
    '{"series":{}}',
    '{"series":[1]}',
    '{"series":[{"metric":1}]}',
    one(',"host":1'),
    one(',"tags":[1]'),
    '{"series":[{"metric":"m","points":[["1",2]]}]}',
    '{"series":[{"metric":"m","points":[1]}]}',
  ];
  for (const text of bad) {
    if (text !== '') assert.match(parse(datadogV1, text).failure ?? '', /^cannot parse the body: /, text);
  }
});

test('what agents send besides is answered', () => {
  const answerOf = (path: string) => {
    const reception = receive(datadogV1, { path: `/datadog${path}` });
    return reception.kind === 'answer' ? [reception.answer.status, reception.answer.body] : reception.kind;
  };
  assert.deepEqual(answerOf('/api/v1/validate'), [200, '{"valid":true}']);
  assert.deepEqual(answerOf('/api/v1/check_run/'), [202, '{"status":"ok"}']);
  assert.deepEqual(answerOf('/api/v1/metadata'), [200, '{}']);
  assert.deepEqual(answerOf('/intake/'), [200, '{}']);
  assert.deepEqual(answerOf('/api/v1/series'), 'body');
});

test('whatever JSON.stringify writes is read back', () => {
  const name = fc.string({ unit: fc.constantFrom(...'ab.9'), minLength: 1, maxLength: 6 });
  const series = fc.record({
    metric: name,
    host: fc.string({ maxLength: 4 }),
    tags: fc.array(fc.tuple(name, fc.string({ maxLength: 4 })), { maxLength: 3 }),
    points: fc.array(
      fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
      { minLength: 1, maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 4 }), (all) => {
      const body = { series: all.map((each) => ({ ...each, tags: each.tags.map((tag) => tag.join(':')) })) };
      const { rows: found } = parse(datadogV1, JSON.stringify(body));
      assert.deepEqual(
        found.map(({ labels, samples }) => [labels.map(({ name: key, value }) => [key, value]), samples]),
        all.map(({ metric, host, tags, points }) => [
          [['__name__', metric], ...(host === '' ? [] : [['host', host]]), ...tags],
          points.map(([timestamp, value]) => ({ value: value + 0, timestamp: timestamp * 1000 })),
        ]),
      );
    }),
  );
});
