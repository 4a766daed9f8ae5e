import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { bitsOf, decodeWriteRequest, encodeWriteRequest } from '../support/remote-write.ts';

const series = [{ labels: { __name__: 'up', job: 'é' }, points: [{ timestampMs: -5, bits: bitsOf(-0) }] }];

test('the schema reads what an independent writer wrote, and the other way round', () => {
  const type = remoteWriteType('WriteRequest');
  const message = type.decode(encodeWriteRequest(series));
  const [first] = type.toObject(message, { longs: Number }).timeseries;
  assert.deepEqual(first.labels, [
    { name: '__name__', value: 'up' },
    { name: 'job', value: 'é' },
  ]);
  assert.deepEqual(first.samples, [{ value: -0, timestamp: -5 }]);
  assert.deepEqual(decodeWriteRequest(type.encode(message).finish()).series, series);
});

test('an unknown message is an error', () => {
  assert.throws(() => remoteWriteType('Nothing' as 'TimeSeries'), /Nothing/);
});
