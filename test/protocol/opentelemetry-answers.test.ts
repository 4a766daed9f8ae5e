import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportResponse, forFirehose, inJson, inProtobuf } from '../../src/protocol/opentelemetry-answers.ts';
import { decode } from './otlp-support.ts';

const NOTES = { rowsRead: 5, rowsInvalid: 3, examples: ['first', 'second é'] };
const REASON = 'left out data points that make no sense: first; second é';

test('a response says what was left out, and nothing when nothing was', () => {
  assert.equal(exportResponse(undefined).byteLength, 0);
  assert.equal(exportResponse({ rowsRead: 5, rowsInvalid: 0, examples: [] }).byteLength, 0);
  assert.deepEqual(decode(exportResponse(NOTES), 'ExportMetricsServiceResponse'), {
    partialSuccess: { rejectedDataPoints: '3', errorMessage: REASON },
  });
  assert.deepEqual(inProtobuf.accepted(undefined), {
    status: 200,
    body: new Uint8Array(),
    contentType: 'application/x-protobuf',
  });
  assert.deepEqual(inJson.accepted(undefined), { status: 200, body: '{}', contentType: 'application/json' });
  assert.deepEqual(JSON.parse(String(inJson.accepted(NOTES).body)), {
    partialSuccess: { rejectedDataPoints: '3', errorMessage: REASON },
  });
});

test('what was odd about points that were taken is told with none left out', () => {
  const notes = { rowsInvalid: 0, examples: ['an exemplar'] };
  const errorMessage = 'left out parts of data points that make no sense: an exemplar';
  assert.deepEqual(decode(exportResponse(notes), 'ExportMetricsServiceResponse'), {
    partialSuccess: { errorMessage },
  });
  assert.deepEqual(JSON.parse(String(inJson.accepted(notes).body)), {
    partialSuccess: { rejectedDataPoints: '0', errorMessage },
  });
});

test('an error is a status in the encoding of the request', () => {
  const { status, body, contentType } = inProtobuf.refused(413, 'too much');
  assert.deepEqual([status, contentType], [413, 'application/x-protobuf']);
  assert.deepEqual(decode(body as Uint8Array, 'Status'), { code: 8, message: 'too much' });
  assert.deepEqual(JSON.parse(String(inJson.refused(503, 'later').body)), { code: 14, message: 'later' });
});

test('Firehose gets its own id back', () => {
  const wording = forFirehose('a"b', 5);
  assert.deepEqual(wording.accepted(NOTES), {
    status: 200,
    body: '{"requestId":"a\\"b","timestamp":5}',
    contentType: 'application/json',
  });
  assert.deepEqual(JSON.parse(String(wording.refused(400, 'bad').body)), {
    requestId: 'a"b',
    timestamp: 5,
    errorMessage: 'bad',
  });
});
