/** What the writer writes is read by protobufjs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { encodePair, LabelPairs } from '../../../src/transform/state/label-pairs.ts';
import { OutputWriter } from '../../../src/transform/state/output-writer.ts';
import { decodeWriteRequest } from '../../support/remote-write.ts';

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

test('series out of label pairs, with a suffix behind their name and one more label', () => {
  const named = fc.tuple(
    fc.constantFrom('__name__', 'a', 'z'),
    text.filter((value) => value !== ''),
  );
  const output = fc.record({
    labels: fc.uniqueArray(named, { maxLength: 6, selector: ([name]) => name }),
    suffix: fc.oneof(fc.constant(''), text),
    extra: fc.option(fc.constant('0.5')),
    timestampMs: fc.integer({ min: -5, max: 2 ** 45 }),
  });
  const writer = new OutputWriter();
  fc.assert(
    fc.property(fc.array(output, { maxLength: 20 }), (outputs) => {
      const pairs = new LabelPairs();
      const expected = outputs.map(({ labels, suffix, extra, timestampMs }) => {
        const words = Int32Array.of(-1, ...labels.map(([name, value]) => pairs.hold(name, value)), -1);
        const addition = {
          suffix: new TextEncoder().encode(suffix),
          extra: extra === null ? new Uint8Array(0) : encodePair('quantile', extra),
        };
        const key = { words, start: 1, count: labels.length };
        writer.addPairs(pairs, key, addition, timestampMs, 1, 0xfff00000);
        const own: Record<string, string> = Object.fromEntries(labels);
        if (suffix !== '') own.__name__ = (own.__name__ ?? '') + suffix;
        if (extra !== null) own.quantile = extra;
        return { labels: own, points: [{ timestampMs, bits: 0xfff0000000000001n }] };
      });
      const { series } = decodeWriteRequest(writer.take());
      assert.deepEqual(series, expected);
    }),
  );
});

test('a series of two metric names gets the suffix at the first', () => {
  const pairs = new LabelPairs();
  const words = Int32Array.of(pairs.hold('__name__', 'foo'), pairs.hold('__name__', 'bar'));
  const writer = new OutputWriter();
  const addition = { suffix: Buffer.from(':1m_last'), extra: Buffer.alloc(0) };
  writer.addPairs(pairs, { words, start: 0, count: 2 }, addition, 1, 0, 0);
  const bytes = Buffer.from(writer.take());
  const first = bytes.indexOf('foo:1m_last');
  assert.ok(first > 0);
  assert.ok(bytes.indexOf('bar') > first);
  assert.equal(bytes.indexOf('bar:'), -1);
});
