import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockLines } from '../../src/destination/json-lines.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';

/** A sample message with the given bits as its value. */
function sample(high: number, low: number): Buffer {
  const bytes = Buffer.from([0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 5]);
  bytes.writeUInt32LE(low, 3);
  bytes.writeUInt32LE(high, 7);
  return bytes;
}

function series(name: string, ...samples: Buffer[]): Buffer {
  const label = Buffer.from([
    0x0a,
    10 + 2 + name.length,
    0x0a,
    8,
    ...Buffer.from('__name__'),
    0x12,
    name.length,
    ...Buffer.from(name),
  ]);
  const content = Buffer.concat([label, ...samples]);
  return Buffer.concat([Buffer.from([0x0a, content.length]), content]);
}

const stale = () => sample(0x7ff00000, 2);
const nan = () => sample(0x7ff80000, 1);

test('what JSON has no number for is written as a word, and staleness is told from NaN', () => {
  const message = Buffer.concat([
    series('a', stale(), nan(), sample(0x7ff00000, 0)),
    series('b', sample(0xfff00000, 0), sample(0x3ff80000, 0), sample(0x80000000, 0), stale()),
  ]);
  assert.deepEqual(
    blockLines(message).map((line) => JSON.parse(line)),
    [
      { metric: { __name__: 'a' }, values: ['stale', 'NaN', 'Infinity'], timestamps: [5, 5, 5] },
      { metric: { __name__: 'b' }, values: ['-Infinity', 1.5, 0, 'stale'], timestamps: [5, 5, 5, 5] },
    ],
  );
});

test('unknown fields, metadata, histograms and exemplars do not shift samples', () => {
  const type = remoteWriteType('WriteRequest');
  const rest = type
    .encode(
      type.fromObject({
        metadata: [{ type: 1, metricFamilyName: 'a', help: 'h' }],
        timeseries: [
          {
            labels: [{ name: 'x', value: 'y' }],
            histograms: [{ sum: 1, timestamp: 3 }],
            exemplars: [{ value: 2 }],
          },
        ],
      }),
    )
    .finish();
  const message = Buffer.concat([
    rest,
    Buffer.from([0x78, 0x81, 0x01]),
    series('a', stale()),
    Buffer.from(rest),
  ]);
  assert.deepEqual(blockLines(message), [
    '{"metric":{"__name__":"a"},"values":["stale"],"timestamps":[5]}\n',
  ]);
});

test('label names that JavaScript treats specially are only names', () => {
  const type = remoteWriteType('WriteRequest');
  const timeseries = [
    {
      labels: [
        { name: '__proto__', value: 'p' },
        { name: 'constructor', value: 'c' },
      ],
      samples: [{ value: 1, timestamp: 2 }],
    },
  ];
  const [line] = blockLines(type.encode(type.fromObject({ timeseries })).finish());
  assert.equal(line, '{"metric":{"__proto__":"p","constructor":"c"},"values":[1],"timestamps":[2]}\n');
});

test('a series that is made to take memory is refused, and many empty ones take none', () => {
  const label = Buffer.from([0x0a, 0]);
  const many = Buffer.concat(Array.from({ length: 1_000_001 }, () => label));
  const length = [(many.length & 127) | 128, ((many.length >> 7) & 127) | 128, many.length >> 14];
  assert.throws(() => blockLines(Buffer.concat([Buffer.from([0x0a, ...length]), many])), /1000001/);
  assert.deepEqual(blockLines(many), []);
});
