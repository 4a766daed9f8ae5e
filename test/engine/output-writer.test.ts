/** What the writer writes is read by protobufjs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OutputWriter } from '../../src/engine/output-writer.ts';
import { Labels } from '../../src/model/labels.ts';
import { decodeWriteRequest } from '../support/remote-write.ts';

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 80 }));

test('series come out with their labels, timestamps and bits', () => {
  const writer = new OutputWriter();
  const output = fc.record({
    labels: fc.dictionary(
      text,
      text.filter((value) => value !== ''),
      { maxKeys: 6 },
    ),
    timestampMs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    low: fc.nat({ max: 0xffffffff }),
    high: fc.nat({ max: 0xffffffff }),
  });
  fc.assert(
    fc.property(fc.array(output, { maxLength: 20 }), (outputs) => {
      for (const { labels, timestampMs, low, high } of outputs) {
        writer.add(Labels.of(Object.entries(labels)), timestampMs, low, high);
      }
      assert.equal(writer.seriesCount, outputs.length);
      const { series } = decodeWriteRequest(writer.take());
      assert.deepEqual(
        series,
        outputs.map(({ labels, timestampMs, low, high }) => ({
          labels: { ...labels },
          points: [{ timestampMs, bits: (BigInt(high) << 32n) + BigInt(low) }],
        })),
      );
      assert.deepEqual([writer.seriesCount, writer.byteLength], [0, 0]);
    }),
  );
});
