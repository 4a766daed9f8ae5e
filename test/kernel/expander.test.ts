import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KernelError } from '../../src/kernel/errors.ts';
import { mutate } from './support/bodies.ts';
import {
  big,
  bits,
  compare,
  expand,
  expander,
  messageOf,
  randomRequest,
  times,
} from './support/expansion.ts';
import { Random } from './support/random.ts';
import { bigintOf, decodeExact, ExactWriteRequest, StartedWriteRequest } from './support/reference.ts';
import { ExactHistogram2, ExactRequest2 } from './support/reference-2.ts';

const RUNS = 20_000;

test(`${RUNS} requests, most of them damaged: the kernel and the model agree`, () => {
  let taken = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const random = new Random(seed);
    const request = randomRequest(random);
    try {
      const keepsStarts = seed % 2 === 0;
      taken += compare(random.chance(0.4) ? request : mutate(random, request), keepsStarts) ? 1 : 0;
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
  assert.ok(taken > RUNS / 3 && taken < (RUNS * 9) / 10, `${taken} taken`);
});

test('arbitrary symbols in any place', () => {
  const request = fc.record({
    symbols: fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 6 }),
    timeseries: fc.array(
      fc.record({
        labels_refs: fc.array(fc.nat({ max: 8 }), { maxLength: 10 }),
        samples: fc.array(fc.record({ timestamp: fc.maxSafeInteger() }), { maxLength: 2 }),
      }),
      { maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(request, ({ symbols, timeseries }) => {
      const all = ['', '__name__', ...symbols].map((symbol) => Buffer.from(symbol));
      assert.ok(compare(ExactRequest2.encode({ symbols: all, timeseries }).finish()));
    }),
  );
});

function requestOf(symbols: readonly string[], timeseries: readonly object[]): Uint8Array {
  return ExactRequest2.encode({ symbols: symbols.map((symbol) => Buffer.from(symbol)), timeseries }).finish();
}

const sample = { value: bits(1), timestamp: 1000 };

test('what is wrong with a series leaves that series out, and says why', () => {
  const symbols = ['', '__name__', 'up', 'job', 'x'];
  const whole = { labels_refs: [1, 2, 3, 4], samples: [sample] };
  const histogram = { count_int: 3, positive_spans: [{ length: 1 }], positive_deltas: [3] };
  const cases: readonly (readonly [object, string])[] = [
    [{ ...whole, labels_refs: [1, 2, 3, 5] }, 'a reference goes past the last symbol'],
    [{ ...whole, labels_refs: [1, 2, 3] }, 'the number of label references is odd'],
    [{ ...whole, labels_refs: [3, 4] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [1, 0, 3, 4] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [1, 2, 0, 4] }, 'a label has no name'],
    [{ ...whole, labels_refs: [1, 2, 3, 4, 3, 2] }, 'a series has two labels of one name'],
    [{ ...whole, labels_refs: [3, 4, 1, 2, 3, 2] }, 'a series has two labels of one name'],
    [{ ...whole, histograms: [histogram] }, 'a series has both samples and native histograms'],
    [
      { labels_refs: [1, 2], histograms: [{ ...histogram, count_int: 4 }] },
      'the buckets of a native histogram do not add up',
    ],
    [
      { labels_refs: [1, 2], histograms: [{ ...histogram, positive_spans: [] }] },
      'the buckets of a native histogram do not add up',
    ],
    [{ ...whole, exemplars: [{ labels_refs: [1] }] }, 'the number of label references is odd'],
    [{ ...whole, exemplars: [{ labels_refs: [1, 9] }] }, 'a reference goes past the last symbol'],
    [{ ...whole, metadata: { type: 1, help_ref: 9 } }, 'a reference goes past the last symbol'],
    [{ ...whole, labels_refs: times(10_000, () => 3) }, 'a series has too many labels'],
  ];
  for (const [bad, error] of cases) {
    const found = expand(requestOf(symbols, [whole, bad, whole]));
    assert.ok(typeof found === 'object' && !('error' in found));
    assert.deepEqual(found.rejected, { index: 1, error });
    assert.equal(found.rejectedSeries, 1);
    assert.equal(decodeExact(messageOf(found))!.timeseries.length, 2, error);
  }
});

test('of a count as an integer and as a float the last one counts', () => {
  const type = ExactHistogram2;
  const part = (fields: object) => type.encode(fields).finish();
  const buckets = (counts: object) => ({ positive_spans: [{ length: 1 }], ...counts });
  const integer = part({ count_int: 3, ...buckets({ positive_deltas: [3] }) });
  const cases: readonly (readonly [Uint8Array, boolean])[] = [
    [Buffer.concat([part({ count_float: bits(9) }), integer]), true],
    [Buffer.concat([integer, part({ count_float: bits(9) })]), false],
    [Buffer.concat([part({ zero_count_float: bits(-1) }), part({ zero_count_int: 0 }), integer]), true],
    [Buffer.concat([part({ zero_count_int: 7 }), part({ zero_count_float: bits(1) }), integer]), true],
    [Buffer.concat([integer, part({ zero_count_float: bits(-1) })]), false],
  ];
  for (const [histogram, isGood] of cases) {
    const head = requestOf(['', '__name__', 'up'], [{ labels_refs: [1, 2] }]);
    // The series is the last field, and short.
    const at = head.length - 6;
    const series = Buffer.concat([head.subarray(at + 2), Buffer.of(0x1a, histogram.length), histogram]);
    const bytes = Buffer.concat([head.subarray(0, at), Buffer.of(0x2a, series.length), series]);
    assert.ok(compare(bytes));
    const found = expand(bytes);
    assert.ok(typeof found === 'object' && !('error' in found));
    assert.equal(found.rejectedSeries, isGood ? 0 : 1);
  }
});

test('a request without the empty symbol is refused', () => {
  const first = ExactWriteRequest.encode({ timeseries: [{ labels: [{ name: Buffer.from('a') }] }] }).finish();
  const bad = [['up'], []].map((symbols) => requestOf(symbols, [{ labels_refs: [0, 0] }]));
  for (const bytes of [...bad, first]) {
    const found = expand(bytes);
    assert.ok(typeof found === 'object' && 'error' in found);
    assert.equal(found.code, KernelError.noEmptySymbol);
  }
  assert.equal(messageOf(expand(requestOf([], []))).length, 0);
});

test('a short request that stands for a long one is refused', () => {
  const long = 'x'.repeat(100_000);
  const bytes = requestOf(
    ['', '__name__', long],
    times(3_000, () => ({ labels_refs: [1, 2], samples: [sample] })),
  );
  assert.equal(expand(bytes), 'too_large');
  const many = requestOf(
    ['', ...times(50_000, (index) => `s${index}`), '__name__'],
    [{ labels_refs: [50_001, 7], samples: [sample] }],
  );
  assert.equal(
    decodeExact(messageOf(expander.expand(big.place(many, 0), many.length)))!.timeseries.length,
    1,
  );
});

test('the start of a series goes along if somebody takes it and all samples agree; what is left out is counted', () => {
  const cases: readonly (readonly [object, start: number | undefined, fields: number])[] = [
    [{ samples: [{ ...sample, start_timestamp: 7 }] }, 7, 1],
    [{ samples: [{ ...sample, start_timestamp: -7 }] }, -7, 1],
    [{ created_timestamp: 8, samples: [sample, sample] }, 8, 1],
    [{ created_timestamp: 8, samples: [sample, { ...sample, start_timestamp: 8 }] }, 8, 2],
    [{ created_timestamp: 8, samples: [{ ...sample, start_timestamp: 9 }] }, 9, 2],
    [{ samples: [{ ...sample, start_timestamp: 7 }, sample] }, undefined, 1],
    [
      {
        samples: [
          { ...sample, start_timestamp: 7 },
          { ...sample, start_timestamp: 9 },
        ],
      },
      undefined,
      2,
    ],
    [{ created_timestamp: 8, histograms: [{ count_int: 0 }] }, undefined, 1],
    [{ samples: [sample] }, undefined, 0],
  ];
  for (const [series, start, fields] of cases) {
    const bytes = requestOf(['', 'x', '__name__'], [{ labels_refs: [2, 1], ...series }]);
    for (const keepsStarts of [false, true]) {
      const found = expand(bytes, undefined, keepsStarts);
      assert.ok(typeof found === 'object' && !('error' in found));
      const isKept = keepsStarts && start !== undefined;
      assert.equal(found.startTimestamps, isKept ? 0 : fields, JSON.stringify(series));
      const [written] = decodeExact(messageOf(found), StartedWriteRequest)!.timeseries;
      const expected = isKept ? BigInt.asUintN(64, BigInt(start)) : 0n;
      assert.equal(bigintOf(written!.start_timestamp!), expected, JSON.stringify(series));
    }
  }
});

test('start timestamps are counted', () => {
  const series = {
    labels_refs: [0, 1],
    created_timestamp: 1,
    samples: [{ ...sample, start_timestamp: 2 }, sample],
  };
  const found = expand(requestOf(['', 'x'], [series]));
  assert.ok(typeof found === 'object' && !('error' in found));
  assert.equal(found.rejectedSeries, 1, 'no name');
  const good = expand(requestOf(['', 'x', '__name__'], [{ ...series, labels_refs: [2, 1] }]));
  assert.ok(typeof good === 'object' && !('error' in good));
  assert.equal(good.startTimestamps, 2);
});
