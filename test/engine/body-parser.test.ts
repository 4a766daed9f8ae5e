import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BodyParser } from '../../src/engine/body-parser.ts';
import type { BodyFormat } from '../../src/engine/messages.ts';
import { influx } from '../../src/protocol/influx.ts';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { statsd } from '../../src/protocol/statsd.ts';
import { encode, requestOf } from '../protocol/otlp-support.ts';
import { decodeWriteRequest } from '../support/remote-write.ts';

const format = (over: Partial<BodyFormat> = {}): BodyFormat => ({
  encoding: 'plain',
  protocol: 'prometheus',
  extraLabels: [],
  arrival: { parameters: {}, receivedMs: 5_000 },
  ...over,
});
const parser = new BodyParser({ bodyBytesMax: 64 * 1024, protocolOptions: {} });

test('a body becomes a message, with the time of its arrival', () => {
  const parsed = parser.parse(format({ encoding: 'gzip' }), gzipSync('a 1\nb{c="d"} 2 3\n'));
  assert.ok(parsed !== undefined && 'message' in parsed);
  const { series } = decodeWriteRequest(parsed.message);
  assert.deepEqual(
    series.map(({ labels, points }) => [labels, points[0]?.timestampMs]),
    [
      [{ __name__: 'a' }, 5_000],
      [{ __name__: 'b', c: 'd' }, 3_000],
    ],
  );
  assert.equal(parsed.notes, undefined);
});

test('rows that were left out are noted', () => {
  const parsed = parser.parse(format(), Buffer.from('a 1\nb\n'));
  assert.ok(parsed !== undefined && 'message' in parsed);
  assert.deepEqual(parsed.notes, {
    rowsRead: 1,
    rowsInvalid: 1,
    items: 2,
    examples: ['line 2: there is no value: "b"'],
  });
});

test('a piece of a larger body always has notes, and its lines their numbers in the body', () => {
  const arrival = { parameters: { firstItem: '1001' }, receivedMs: 5 };
  const notesOf = (text: string) => {
    const parsed = parser.parse(format({ arrival }), Buffer.from(text));
    assert.ok(parsed !== undefined && 'message' in parsed);
    return parsed.notes;
  };
  assert.deepEqual(notesOf('a 1\n\na 2'), { rowsRead: 2, rowsInvalid: 0, items: 3, examples: [] });
  const examples = ['line 1002: there is no value: "b"'];
  assert.deepEqual(notesOf('a 1\nb\n'), { rowsRead: 1, rowsInvalid: 1, items: 2, examples });
});

test('rows that are no samples are noted', () => {
  const options = Object.entries(statsd.options).map(([name, spec]) => [name, spec.default]);
  const protocolOptions = Object.fromEntries(options);
  const parsed = new BodyParser({ bodyBytesMax: 64 * 1024, protocolOptions }).parse(
    format({ protocol: 'statsd' }),
    Buffer.from('_sc|db|0\na:1|c\n'),
  );
  assert.ok(parsed !== undefined && 'message' in parsed);
  assert.deepEqual(parsed.notes, { rowsRead: 1, rowsInvalid: 0, rowsIgnored: 1, items: 0, examples: [] });
});

test('what is told of rows that were taken is noted, and native histograms are rows', () => {
  const options = Object.entries(opentelemetry.options).map(([name, spec]) => [name, spec.default]);
  const protocolOptions = { ...Object.fromEntries(options), 'opentelemetry.nativeHistograms': true };
  const body = (exemplars: object[]) =>
    encode(
      requestOf(
        { name: 'a', gauge: { dataPoints: [{ asInt: 1, exemplars }] } },
        { name: 'b', exponentialHistogram: { dataPoints: [{ count: 0 }] } },
      ),
    );
  const notesOf = (bytes: Uint8Array) => {
    const found = new BodyParser({ bodyBytesMax: 64 * 1024, protocolOptions }).parse(
      format({ protocol: 'opentelemetry' }),
      bytes,
    );
    assert.ok(found !== undefined && 'message' in found);
    return found.notes;
  };
  assert.equal(notesOf(body([{ asInt: 1 }])), undefined);
  const examples = ['an exemplar of "a" without a value'];
  assert.deepEqual(notesOf(body([{}])), { rowsRead: 2, rowsInvalid: 0, items: 0, examples });
});

test('remote write and what is unknown have no parser', () => {
  assert.equal(parser.parse(format({ protocol: 'promremotewrite' }), Buffer.from('a 1')), undefined);
  assert.equal(parser.parse(format({ protocol: 'newer' }), Buffer.from('a 1')), undefined);
});

test('what is too large or cannot be decoded is refused', () => {
  const bomb = parser.parse(format({ encoding: 'gzip' }), gzipSync(Buffer.alloc(1024 * 1024)));
  assert.ok(bomb !== undefined && 'error' in bomb);
  assert.deepEqual([bomb.status, bomb.reason], [413, 'too_large']);
  assert.match(bomb.error, /more than 65536 bytes; send smaller requests or raise -maxInsertRequestSize/);
  const garbage = parser.parse(format({ encoding: 'zstd' }), Buffer.from('a 1'));
  assert.ok(garbage !== undefined && 'error' in garbage);
  assert.deepEqual([garbage.status, garbage.reason], [400, 'malformed']);
});

test('a body whose series are far larger than itself is refused', () => {
  const options = Object.fromEntries(
    Object.entries(influx.options).map(([name, spec]) => [name, spec.default]),
  );
  const fields = Array.from({ length: 2_000 }, (_, index) => `f${index}=1`).join(',');
  const wide = Buffer.from(`m,tag=${'x'.repeat(10_000)} ${fields}\n`);
  const config = {
    bodyBytesMax: 64 * 1024,
    protocolOptions: { ...options, 'influx.maxRequestSize': 64 * 1024 },
  };
  const parsed = new BodyParser(config).parse(format({ protocol: 'influx' }), wide);
  assert.ok(parsed !== undefined && 'error' in parsed);
  assert.deepEqual([parsed.status, parsed.reason], [413, 'too_large']);
});
