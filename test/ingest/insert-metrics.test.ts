import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InsertMetrics } from '../../src/ingest/insert-metrics.ts';
import { protocols } from '../../src/protocol/index.ts';
import { RecordingMeter } from './harness.ts';

const TYPE = { type: 'promremotewrite' };

test('every metric of a protocol is there from the start, at 0', () => {
  const meter = new RecordingMeter();
  new InsertMetrics(meter, protocols.promremotewrite).path('/api/v1/write');
  for (const name of [
    'vm_protoparser_read_calls_total',
    'vm_protoparser_read_errors_total',
    'vm_protoparser_rows_read_total',
    'vm_protoparser_metadata_read_total',
    'vm_protoparser_unmarshal_errors_total',
    'vmagent_rows_inserted_total',
    'vmagent_metadata_inserted_total',
  ]) {
    assert.equal(meter.value(name, TYPE), 0, name);
  }
  const path = { path: '/api/v1/write', protocol: 'promremotewrite' };
  assert.equal(meter.value('vmagent_http_requests_total', path), 0);
  assert.equal(meter.value('vmagent_http_request_errors_total', path), 0);
});

test('paths that are counted as one share their counters', () => {
  const metrics = new InsertMetrics(new RecordingMeter(), protocols.promremotewrite);
  assert.equal(metrics.path('/a'), metrics.path('/a'));
  assert.notEqual(metrics.path('/a'), metrics.path('/b'));
});

test('samples and histograms are rows; metadata and exemplars are not', () => {
  const meter = new RecordingMeter();
  const metrics = new InsertMetrics(meter, protocols.promremotewrite);
  metrics.accepted({ series: 9, samples: 5, histograms: 2, exemplars: 100, metadata: 3 });
  metrics.accepted({ series: 1, samples: 1, histograms: 0, exemplars: 0, metadata: 0 });
  assert.equal(meter.value('vmagent_rows_inserted_total', TYPE), 8);
  assert.equal(meter.value('vm_protoparser_rows_read_total', TYPE), 8);
  assert.equal(meter.value('vmagent_metadata_inserted_total', TYPE), 3);
  assert.equal(meter.value('vmagent_rows_per_insert_sum', TYPE), 8);
  assert.equal(meter.value('vmagent_rows_per_insert_count', TYPE), 2);
});

test('what a parser notes is counted', () => {
  const meter = new RecordingMeter();
  const metrics = new InsertMetrics(meter, protocols.influx);
  const counts = { series: 4, samples: 4, histograms: 0, exemplars: 0, metadata: 0 };
  metrics.accepted(counts, { rowsRead: 2, rowsInvalid: 1, items: 2, examples: [] });
  metrics.accepted(counts);
  const type = { type: 'influx' };
  assert.equal(meter.value('vm_protoparser_rows_read_total', type), 6);
  assert.equal(meter.value('vm_rows_invalid_total', type), 1);
  assert.equal(meter.value('vmagent_rows_inserted_total', type), 8);
  assert.equal(meter.value('vm_rows_invalid_total', TYPE), undefined);
});

test('rows that are no samples are counted where a protocol has such', () => {
  const meter = new RecordingMeter();
  const metrics = new InsertMetrics(meter, protocols.statsd);
  new InsertMetrics(meter, protocols.influx);
  assert.equal(meter.value('sluice_rows_ignored_total', { type: 'statsd' }), 0);
  assert.equal(meter.value('sluice_rows_ignored_total', { type: 'influx' }), undefined);
  const counts = { series: 4, samples: 4, histograms: 0, exemplars: 0, metadata: 0 };
  metrics.accepted(counts, { rowsRead: 4, rowsInvalid: 0, rowsIgnored: 3, examples: [] });
  metrics.accepted(counts, { rowsRead: 4, rowsInvalid: 1, examples: [] });
  assert.equal(meter.value('sluice_rows_ignored_total', { type: 'statsd' }), 3);
});

test('requests of a family are counted together', () => {
  const meter = new RecordingMeter();
  new InsertMetrics(meter, protocols.datadogv1).path('/a').requests.inc();
  new InsertMetrics(meter, protocols.datadogv2).path('/a').requests.inc();
  assert.equal(meter.value('vmagent_http_requests_total', { path: '/a', protocol: 'datadog' }), 2);
});
