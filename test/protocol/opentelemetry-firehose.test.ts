import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { requestOfFirehose } from '../../src/protocol/opentelemetry-firehose.ts';
import { encode, requestOf } from './otlp-support.ts';
import { parse, rowsOf } from './support.ts';

const FIREHOSE = { parameters: { format: 'firehose' } };
const messageOf = (name: string) => encode(requestOf({ name, gauge: { dataPoints: [{ asInt: 1 }] } }));

function bodyOf(...records: Uint8Array[][]): string {
  const data = records.map((messages) => {
    const writer = protobuf.Writer.create();
    for (const message of messages) writer.bytes(message);
    return { data: Buffer.from(writer.finish()).toString('base64') };
  });
  return JSON.stringify({ requestId: 'r', timestamp: 1, records: data });
}

test('all messages of all records are one request', () => {
  const body = bodyOf([messageOf('a'), messageOf('b')], [], [messageOf('c')]);
  assert.deepEqual(rowsOf(opentelemetry, body, FIREHOSE), ['a{} 1@0', 'b{} 1@0', 'c{} 1@0']);
  assert.equal(requestOfFirehose(Buffer.from('{}')).byteLength, 0);
});

test('what is not of the form refuses the request and says where', () => {
  const cases: [string, RegExp][] = [
    ['x', /it is not JSON/],
    ['[]', /the body is not an object/],
    ['{"records":{}}', /records is not a list/],
    ['{"records":[{"data":5}]}', /records\[0\].data is not a text/],
    ['{"records":[{"data":""},{"data":"é"}]}', /records\[1\].data is not base64/],
    ['{"records":[{"data":"BQE="}]}', /record 0: a message of 5 bytes goes past the end at byte 2/],
    ['{"records":[{"data":"gA=="}]}', /record 0: /],
    ['{"records":[{"data":"AQA="}]}', /has the number 0/],
  ];
  for (const [body, expected] of cases)
    assert.match(parse(opentelemetry, body, FIREHOSE).failure ?? '', expected, body);
});
