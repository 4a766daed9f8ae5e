import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';

const samplesOf = async (metrics: Metrics) => parseMetrics(await metrics.text());

/** Without the metric that is always there. */
const linesOf = async (metrics: Metrics) =>
  (await metrics.text())
    .split('\n')
    .filter((line) => line !== '' && !line.includes('sluice_metrics_read_errors'));

test('every metric is there at 0 from the moment it is named', async () => {
  const metrics = new Metrics();
  metrics.counter('a_total', 'help');
  metrics.gauge('b', 'help', { url: '1:secret-url' });
  assert.deepEqual(await linesOf(metrics), ['a_total 0', 'b{url="1:secret-url"} 0']);
});

test('handles update what is exposed', async () => {
  const metrics = new Metrics();
  const counter = metrics.counter('a_total', 'help');
  counter.inc();
  counter.inc(2.5);
  metrics.gauge('b', 'help').set(-7);
  assert.deepEqual(await linesOf(metrics), ['a_total 3.5', 'b -7']);
});

test('the same name and labels give the same handle, in whatever order the labels come', async () => {
  const metrics = new Metrics();
  metrics.counter('a_total', 'help', { x: '1', y: '2' }).inc();
  metrics.counter('a_total', 'help', { y: '2', x: '1' }).inc();
  assert.deepEqual(await linesOf(metrics), ['a_total{x="1",y="2"} 2']);
});

test('one name can have different labels in different places, and empty ones are not printed', async () => {
  const metrics = new Metrics();
  metrics.counter('errors_total', 'help', { path: '/a', protocol: 'p' }).inc();
  metrics.counter('errors_total', 'help', { path: '*', reason: 'unsupported' }).inc(2);
  metrics.counter('errors_total', 'help', { path: '/b', protocol: '' }).inc(3);
  metrics.counter('errors_total', 'help').inc(4);
  assert.deepEqual(await linesOf(metrics), [
    'errors_total{path="/a",protocol="p"} 1',
    'errors_total{path="*",reason="unsupported"} 2',
    'errors_total{path="/b"} 3',
    'errors_total 4',
  ]);
});

test('metadata is written only when asked for', async () => {
  for (const exposeMetadata of [false, true]) {
    const metrics = new Metrics({ exposeMetadata });
    metrics.counter('a_total', 'All\nof \\them.').inc();
    metrics.histogram('h_seconds', 'Not yet used.');
    const expected = ['# HELP a_total All\\nof \\\\them.', '# TYPE a_total counter'];
    assert.deepEqual(await linesOf(metrics), [...(exposeMetadata ? expected : []), 'a_total 1']);
  }
});

test('numbers that are read at every scrape', async () => {
  const metrics = new Metrics();
  let value = 1;
  metrics.gaugeOf('a', 'help', {}, () => value);
  metrics.counterOf('b_total', 'help', { x: '1' }, () => value * 2);
  assert.deepEqual(await linesOf(metrics), ['a 1', 'b_total{x="1"} 2']);
  value = 5;
  assert.deepEqual(await linesOf(metrics), ['a 5', 'b_total{x="1"} 10']);
});

test('what is not known, or cannot be read, is left out and does not take the page with it', async () => {
  const metrics = new Metrics({ exposeMetadata: true });
  metrics.gaugeOf('unknown', 'help', {}, () => Number.NaN);
  metrics.gaugeOf('broken', 'help', {}, () => {
    throw new Error('no such file');
  });
  metrics.counter('a_total', 'help').inc();
  const text = await metrics.text();
  assert.doesNotMatch(text, /unknown|broken/);
  assert.equal(metricSum(await samplesOf(metrics), 'a_total'), 1);
  assert.equal(metricSum(await samplesOf(metrics), 'sluice_metrics_read_errors_total'), 2);
});

test('a component that is made anew takes over what is read', async () => {
  const metrics = new Metrics();
  metrics.gaugeOf('a', 'help', { x: '1' }, () => 1);
  metrics.gaugeOf('a', 'help', { x: '1' }, () => 2);
  assert.deepEqual(await linesOf(metrics), ['a{x="1"} 2']);
});

test('infinities are written as the format asks for', async () => {
  const metrics = new Metrics();
  metrics.gauge('a', 'help').set(Number.POSITIVE_INFINITY);
  metrics.gauge('b', 'help').set(Number.NEGATIVE_INFINITY);
  assert.deepEqual(await linesOf(metrics), ['a +Inf', 'b -Inf']);
});

test('a histogram is absent until its first value, then has both kinds of buckets', async () => {
  const metrics = new Metrics();
  const histogram = metrics.histogram('h_seconds', 'help', { url: 'u' });
  assert.deepEqual(await linesOf(metrics), []);
  histogram.observe(0.5);
  histogram.observe(0.5);
  const samples = await samplesOf(metrics);
  assert.equal(metricSum(samples, 'h_seconds_bucket', { url: 'u', vmrange: '4.642e-01...5.275e-01' }), 2);
  assert.equal(metricSum(samples, 'h_seconds_sum', { url: 'u' }), 1);
  assert.equal(metricSum(samples, 'h_seconds_count', { url: 'u' }), 2);
  assert.equal(metricSum(samples, 'h_seconds_le_bucket', { url: 'u', le: '0.3162' }), 0);
  assert.equal(metricSum(samples, 'h_seconds_le_bucket', { url: 'u', le: '1' }), 2);
  assert.equal(metricSum(samples, 'h_seconds_le_bucket', { url: 'u', le: '+Inf' }), 2);
  // MetricsQL would add up buckets of both kinds under one name.
  assert.equal(metricSum(samples, 'h_seconds_bucket', { le: '+Inf' }), undefined);
});

test('what carries given labels can be removed, and comes back at 0', async () => {
  const metrics = new Metrics();
  for (const url of ['1:a', '2:b']) {
    metrics.counter('sent_total', 'help', { url, path: 'p' }).inc();
    metrics.gaugeOf('queue', 'help', { url }, () => 3);
    metrics.histogram('h', 'help', { url }).observe(1);
  }
  metrics.remove({ url: '1:a' });
  const text = await metrics.text();
  assert.doesNotMatch(text, /1:a/);
  assert.match(text, /^sent_total\{url="2:b",path="p"\} 1$/m);
  assert.match(text, /^queue\{url="2:b"\} 3$/m);
  metrics.counter('sent_total', 'help', { url: '1:a', path: 'p' });
  assert.equal(metricSum(await samplesOf(metrics), 'sent_total', { url: '1:a' }), 0);
});

test('our own mistakes are told', () => {
  const metrics = new Metrics();
  const counter = metrics.counter('a_total', 'help');
  assert.throws(() => counter.inc(-1), /BUG: a counter cannot be increased by -1/);
  assert.throws(() => counter.inc(Number.NaN), /BUG/);
  assert.throws(() => metrics.gauge('a_total', 'help'), /BUG: a_total is both/);
  assert.throws(() => metrics.counterOf('a_total', 'help', {}, () => 1), /BUG: a_total is both/);
  assert.throws(() => metrics.counter('a-b', 'help'), /BUG: a-b is no name/);
  assert.throws(() => metrics.counter('ok', 'help', { 'a-b': 'x' }), /BUG: a-b is no name/);
  assert.throws(() => metrics.remove({}), /BUG/);
});

const labelName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
/** Carriage returns are allowed raw in the format, but the parser of the tests ends a line at them. */
const labelValue = fc
  .string({ unit: 'binary', maxLength: 20 })
  .map((text) => text.replace(/[\r\u2028\u2029]/g, '"\n\\'));
const labels = fc.dictionary(labelName, labelValue, { maxKeys: 4 });

test('whatever the label values are, the page reads back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(labels, {
        maxLength: 8,
        selector: (one) =>
          JSON.stringify(
            Object.entries(one)
              .filter(([, value]) => value !== '')
              .sort(),
          ),
      }),
      async (sets) => {
        const metrics = new Metrics();
        sets.forEach((set, index) => {
          metrics.gauge('m', 'help', set).set(index + 1);
        });
        const found = (await samplesOf(metrics)).filter(({ name }) => name === 'm');
        const expected = sets.map((set, index) => ({
          name: 'm',
          labels: Object.fromEntries(Object.entries(set).filter(([, value]) => value !== '')),
          value: index + 1,
        }));
        assert.deepEqual(found, expected);
      },
    ),
  );
});
