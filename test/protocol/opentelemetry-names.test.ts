import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COUNTER,
  GAUGE,
  HISTOGRAM,
  prometheusLabelName,
  prometheusMetricName,
} from '../../src/protocol/opentelemetry-names.ts';

test('names of metrics get their unit and their kind', () => {
  const cases: [string, string, number, string][] = [
    ['foo', '', GAUGE, 'foo'],
    ['foo_total', 's', COUNTER, 'foo_seconds_total'],
    ['foo.seconds', 's', COUNTER, 'foo_seconds_total'],
    ['foo', '1', GAUGE, 'foo_ratio'],
    ['foo', '1', COUNTER, 'foo_total'],
    ['foo', '1', HISTOGRAM, 'foo'],
    ['foo', 'm/s', GAUGE, 'foo_meters_per_second'],
    ['foo_meters', 'm/s', GAUGE, 'foo_meters_per_second'],
    ['foo', 'By/fortnight', GAUGE, 'foo_bytes_per_fortnight'],
    ['foo', '{packets}', GAUGE, 'foo'],
    ['foo', '{packets}/s', GAUGE, 'foo_per_second'],
    ['foo', '/d', GAUGE, 'foo_per_day'],
    ['foo', 'ms', HISTOGRAM, 'foo_milliseconds'],
    ['foo', '%', GAUGE, 'foo_percent'],
    ['foo', 'banana', GAUGE, 'foo_banana'],
    ['http.server:x/y z-1', '', GAUGE, 'http_server_x_y_z_1'],
    ['total.foo', '', COUNTER, 'foo_total'],
    ['ratio foo', '1', GAUGE, 'foo_ratio'],
    ['..', '', GAUGE, ''],
  ];
  for (const [name, unit, type, expected] of cases) {
    assert.equal(prometheusMetricName(name, unit, type), expected, `${name} ${unit} ${type}`);
  }
});

test('names of labels have letters, digits and underscores', () => {
  const cases: [string, string, string][] = [
    ['service.name', 'service_name', 'service_name'],
    ['1foo', 'key_1foo', 'key_1foo'],
    ['_foo', 'key_foo', '_foo'],
    ['__bar', '__bar', '__bar'],
    ['.foo', 'key_foo', '_foo'],
    ['é😀', '__', '__'],
    ['', '', ''],
  ];
  for (const [name, prefixed, bare] of cases) {
    assert.equal(prometheusLabelName(name, true), prefixed, name);
    assert.equal(prometheusLabelName(name, false), bare, name);
  }
});
