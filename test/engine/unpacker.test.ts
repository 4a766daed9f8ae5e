import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { type BodyFormat, REROUTED } from '../../src/engine/messages.ts';
import { Unpacker } from '../../src/engine/unpacker.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { REMOTE_WRITE_2 } from '../../src/model/body.ts';
import { CONVERT_HISTOGRAMS } from '../../src/protocol/remote-write.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { encodeRequest2, type TestSeries } from '../support/remote-write-2.ts';

const kernelModule = compileKernel();
const WriteRequest = remoteWriteType('WriteRequest');
const SECOND: BodyFormat = { encoding: 'snappy-or-zstd', protocol: REMOTE_WRITE_2, extraLabels: [] };
const FIRST: BodyFormat = { ...SECOND, protocol: 'promremotewrite' };
const tenant = { accountId: 3, projectId: 4 };

function setUp(options: Readonly<Record<string, unknown>> = {}, bodyBytesMax = 1_000_000) {
  const kernel = new Kernel(kernelModule);
  const room = kernel.memory.alloc(1 << 24);
  const unpacker = new Unpacker(kernel, { bodyBytesMax, protocolOptions: options }, () => room);
  const unpack = (format: BodyFormat, wire: Uint8Array) => {
    const found = unpacker.unpack(format, new Uint8Array(wire));
    if ('error' in found) return found;
    const bytes = kernel.memory.bytes().slice(found.rawPtr, found.rawPtr + found.rawLength);
    const message = WriteRequest.toObject(WriteRequest.decode(bytes), { longs: Number });
    const { counts } = found.found;
    return { counts, notes: found.notes, message };
  };
  return { kernel, unpacker, unpack };
}

const good: TestSeries = {
  labels: [
    ['__name__', 'up'],
    ['vm_account_id', '9'],
  ],
  samples: [{ value: 1, timestamp: 5 }],
  metadata: { type: 2, help: 'h' },
};
const nameless: TestSeries = {
  labels: [['job', 'x']],
  samples: [
    { value: 1, timestamp: 5 },
    { value: 2, timestamp: 6 },
  ],
};
const native: TestSeries = {
  labels: [['__name__', 'h']],
  histograms: [{ countInt: 2, sum: 3, positiveSpans: [{ length: 1 }], positiveDeltas: [2], timestamp: 7 }],
};
const second = (...series: TestSeries[]) => compress(encodeRequest2(series));

test('2.0 becomes 1.0, whatever it is compressed with', () => {
  const { unpack } = setUp();
  const expected = {
    timeseries: [
      {
        labels: [
          { name: '__name__', value: 'up' },
          { name: 'vm_account_id', value: '9' },
        ],
        samples: [{ value: 1, timestamp: 5 }],
      },
    ],
    metadata: [{ type: 2, metricFamilyName: 'up', help: 'h' }],
  };
  for (const wire of [second(good), zstdCompressSync(encodeRequest2([good]))]) {
    const found = unpack(SECOND, wire);
    assert.deepEqual(found, {
      counts: { series: 1, samples: 1, histograms: 0, exemplars: 0, metadata: 1 },
      notes: undefined,
      message: expected,
    });
  }
});

test('what is left out is told; a request of which nothing is left is refused', () => {
  const { unpack } = setUp();
  const part = unpack(SECOND, second(good, nameless, { ...good, createdTimestamp: 5 }));
  assert.ok(!('error' in part));
  assert.equal(part.counts.samples, 2);
  assert.deepEqual(part.notes, {
    rowsRead: undefined,
    rowsInvalid: 2,
    examples: ['1 of 3 series are left out, the first is series 1: a series has no metric name'],
    startTimestamps: 1,
  });
  const none = unpack(SECOND, second(nameless));
  assert.deepEqual(none, {
    status: 400,
    reason: 'malformed',
    error:
      'cannot take the request: 1 of 1 series are left out, the first is series 0: a series has no metric name',
  });
});

test('start timestamps that somebody takes are not left out', () => {
  const kernel = new Kernel(kernelModule);
  const room = kernel.memory.alloc(1 << 20);
  const config = { bodyBytesMax: 100_000, protocolOptions: {}, keepsStarts: true };
  const found = new Unpacker(kernel, config, () => room).unpack(
    SECOND,
    new Uint8Array(second({ ...good, createdTimestamp: 5 })),
  );
  assert.ok(!('error' in found));
  assert.equal(found.notes, undefined);
  const bytes = kernel.memory.bytes().slice(found.rawPtr, found.rawPtr + found.rawLength);
  assert.ok(Buffer.from(bytes).includes(Buffer.of(0x30, 5)));
});

test('sizes are bounded before and after', () => {
  const { unpack } = setUp({}, 10_000);
  const statusOf = (series: TestSeries[]) => {
    const found = unpack(SECOND, second(...series));
    return 'error' in found ? found.status : 200;
  };
  assert.equal(statusOf([{ ...good, labels: [['__name__', 'x'.repeat(20_000)]] }]), 413);
  // Many times the limit, once written in full: 32 MiB are allowed in any case.
  const long = { ...good, labels: [['__name__', 'x'.repeat(9_000)]] as const, samples: [{ timestamp: 1 }] };
  const many = Array.from({ length: 20 }, () => long);
  assert.equal(statusOf(many), 200);
  const manyMore = setUp({}, 1_000_000).unpack(SECOND, second(...Array.from({ length: 5_000 }, () => long)));
  assert.ok('error' in manyMore && manyMore.status === 413);
  assert.match(manyMore.error, /labels are written in full; send smaller requests/);
});

test('a tenant replaces those that series name, and is on metadata; blocks of a destination that is gone stay', () => {
  const { unpack } = setUp();
  const found = unpack({ ...SECOND, tenant }, second(good));
  assert.ok(!('error' in found));
  assert.deepEqual(found.message.timeseries[0].labels, [{ name: '__name__', value: 'up' }]);
  assert.deepEqual(found.message.metadata, [
    { type: 2, metricFamilyName: 'up', help: 'h', accountId: 3, projectId: 4 },
  ]);
  assert.equal(found.notes, undefined);
  const first = WriteRequest.encode(
    WriteRequest.fromObject({ timeseries: [{ labels: [{ name: 'vm_project_id', value: 'x' }] }] }),
  );
  const plain = unpack({ ...FIRST, tenant }, compress(first.finish()));
  assert.ok(!('error' in plain));
  assert.deepEqual(plain.message, { timeseries: [{}] });
});

test('native histograms become series if that is wanted, and the client hears of histograms', () => {
  const { unpack } = setUp({ [CONVERT_HISTOGRAMS]: true });
  const found = unpack({ ...SECOND, tenant }, second(native, good));
  assert.ok(!('error' in found));
  assert.deepEqual([found.counts.samples, found.counts.histograms], [4, 0]);
  assert.deepEqual([found.notes!.taken!.samples, found.notes!.taken!.histograms], [1, 1]);
  const noName = WriteRequest.encode(
    WriteRequest.fromObject({ timeseries: [{ histograms: [{ countInt: 1 }] }] }),
  ).finish();
  const left = unpack(FIRST, compress(noName));
  assert.ok(!('error' in left));
  assert.deepEqual([left.counts.series, left.notes!.rowsInvalid], [0, 1]);
  const rerouted = unpack({ ...FIRST, protocol: REROUTED }, compress(noName));
  assert.ok(!('error' in rerouted));
  assert.equal(rerouted.counts.histograms, 1, 'it went through here before');
});

test('what is written anew is counted anew, also when it is as long as before', () => {
  const { unpack } = setUp({ [CONVERT_HISTOGRAMS]: true });
  const lengths = new Set<number>();
  for (let bounds = 0; bounds < 8; bounds++) {
    for (let labelBytes = 1; labelBytes < 12; labelBytes++) {
      const labels = [
        { name: '__name__', value: 'h' },
        { name: 'x', value: 'y'.repeat(labelBytes) },
      ];
      const histogram = { countInt: 2, sum: 3, customValues: Array(bounds).fill(1), timestamp: 7 };
      const body = WriteRequest.encode(
        WriteRequest.fromObject({ timeseries: [{ labels, histograms: [histogram] }] }),
      ).finish();
      const found = unpack(FIRST, compress(body));
      assert.ok(!('error' in found));
      const series = found.message.timeseries as unknown[];
      lengths.add(WriteRequest.encode(WriteRequest.fromObject(found.message)).finish().length - body.length);
      assert.deepEqual(found.counts, {
        series: series.length,
        samples: series.length,
        histograms: 0,
        exemplars: 0,
        metadata: 0,
      });
    }
  }
  assert.ok(lengths.has(0), `${[...lengths]}`);
});

test('nobody looks at a message before it is written anew', () => {
  const wire = new Uint8Array(
    compress(WriteRequest.encode(WriteRequest.fromObject({ timeseries: [{}] })).finish()),
  );
  const checked = (options: Readonly<Record<string, unknown>>, format: BodyFormat) => {
    let times = 0;
    const found = setUp(options).unpacker.unpack(format, wire, false, () => {
      times++;
      return undefined;
    });
    assert.ok(!('error' in found));
    return times;
  };
  assert.equal(checked({}, FIRST), 1);
  assert.equal(checked({}, { ...FIRST, tenant }), 0);
  assert.equal(checked({ [CONVERT_HISTOGRAMS]: true }, FIRST), 0);
  assert.equal(checked({ [CONVERT_HISTOGRAMS]: true }, { ...FIRST, protocol: REROUTED }), 1);
});

test('memory goes over from one unpacker to the next', () => {
  const { kernel, unpacker } = setUp();
  const next = new Unpacker(
    kernel,
    { bodyBytesMax: 1_000_000, protocolOptions: {} },
    () => kernel.memory.alloc(64),
    unpacker,
  );
  const before = kernel.memory.allocatedBytes;
  for (const one of [unpacker, next, unpacker]) {
    const found = one.unpack(SECOND, new Uint8Array(second(good)));
    assert.ok(!('error' in found));
  }
  const { allocatedBytes } = kernel.memory;
  const more = new Unpacker(
    kernel,
    { bodyBytesMax: 1_000_000, protocolOptions: {} },
    () => kernel.memory.alloc(64),
    next,
  );
  more.unpack(SECOND, new Uint8Array(second(good)));
  assert.equal(kernel.memory.allocatedBytes, allocatedBytes);
  assert.ok(allocatedBytes > before);
});
