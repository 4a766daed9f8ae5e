import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_REF } from '../../src/kernel/columns.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesTable, type SeriesTableOptions, tableWithin } from '../../src/series/table.ts';
import { referenceSipHash } from '../kernel/support/reference.ts';
import { runs } from '../support/runs.ts';

const WriteRequest = remoteWriteType('WriteRequest');
const module = compileKernel();

/** A table that is asked for series by name. */
function open(options?: SeriesTableOptions) {
  const kernel = new Kernel(module);
  const table = new SeriesTable(kernel, options);
  const columns = kernel.createColumns();
  const see = (names: readonly string[], identity?: string) => {
    const timeseries = names.map((value) => ({ labels: [{ name: '__name__', value }] }));
    const bytes = WriteRequest.encode(WriteRequest.fromObject({ timeseries })).finish();
    const ptr = kernel.memory.alloc(bytes.length);
    kernel.memory.bytes().set(bytes, ptr);
    const suffix = Buffer.from(identity ?? '');
    const suffixPtr = kernel.memory.alloc(suffix.length);
    kernel.memory.bytes().set(suffix, suffixPtr);
    kernel.validateWriteRequest(ptr, bytes.length);
    columns.scan(ptr, bytes.length, table, false, { ptr: suffixPtr, length: suffix.length });
    kernel.memory.free(ptr, bytes.length);
    kernel.memory.free(suffixPtr, suffix.length);
    return names.map((_, index) => columns.ref(index));
  };
  const added = () => Array.from({ length: columns.addedCount }, (_, nth) => columns.addedSeries(nth));
  return { kernel, table, columns, see, added };
}

test('refs are small integers in the order of first sight, and stay', () => {
  const { table, see, added } = open();
  assert.deepEqual(see(['a', 'b', 'a', 'c']), [0, 1, 0, 2]);
  assert.deepEqual(added(), [0, 1, 3]);
  assert.deepEqual(see(['c', 'd', 'a']), [2, 3, 0]);
  assert.deepEqual(added(), [1]);
  assert.equal(table.size, 4);
  assert.equal(table.refLimit, 4);
});

test('the same labels under another identity are another series', () => {
  const { see } = open();
  assert.deepEqual(see(['a'], 'tenant 1'), [0]);
  assert.deepEqual(see(['a'], 'tenant 2'), [1]);
  assert.deepEqual(see(['a']), [2]);
  assert.deepEqual(see(['a'], 'tenant 1'), [0]);
});

test('a full table gives NO_REF to new series and keeps the others', () => {
  const { table, see, added } = open({ capacity: 3 });
  assert.deepEqual(see(['a', 'b', 'c', 'd', 'a', 'e']), [0, 1, 2, NO_REF, 0, NO_REF]);
  assert.deepEqual(added(), [0, 1, 2]);
  assert.ok(table.full);
  assert.equal(table.size, 3);
});

test('behind many strangers a full table looks for one series of eight, and for every one once it found one', () => {
  const known = Array.from({ length: 40 }, (_, index) => `known ${index}`);
  const { table, see } = open({ capacity: known.length });
  const refs = see(known);
  const many = Array.from({ length: 200 }, (_, index) => `stranger ${index}`);
  assert.deepEqual(see([...many, ...known]).slice(200), refs, 'every one, where that is wanted');
  table.mayPass = true;
  for (const count of [1, 63, 64, 65, 95, 96, 1_000]) {
    const strangers = Array.from({ length: count }, (_, index) => `stranger ${index}`);
    const seen = see([...strangers, ...known]);
    const found = seen.findIndex((ref) => ref !== NO_REF);
    assert.ok(found >= count && found < count + (count < 64 ? 1 : 32 + 8), `${found} behind ${count}`);
    assert.deepEqual(seen.slice(found), refs.slice(found - count));
    see(strangers);
    assert.deepEqual(see(['stranger', ...known]).slice(1), refs, 'in the next request from the first on');
  }
  assert.equal(table.size, known.length);
});

test('a sweep removes what was not seen since, and its refs are given out again', () => {
  const { table, see } = open({ capacity: 3 });
  table.epoch = 1;
  see(['a', 'b', 'c']);
  table.epoch = 2;
  see(['b']);
  assert.deepEqual([...table.sweep(2)].toSorted(), [0, 2]);
  assert.equal(table.size, 1);
  assert.ok(!table.full);
  const [d, b, e] = see(['d', 'b', 'e']);
  assert.equal(b, 1);
  assert.deepEqual([d, e].toSorted(), [0, 2]);
  assert.equal(table.refLimit, 3);
  assert.deepEqual([...table.sweep(2)], []);
});

test('it grows past its first size within one scan, and every series keeps its ref', () => {
  const { table, see, kernel } = open();
  const names = Array.from({ length: 20_000 }, (_, index) => `series_${index}`);
  const refs = see(names);
  assert.deepEqual(
    refs,
    names.map((_, index) => index),
  );
  assert.deepEqual(see(names.toReversed()), refs.toReversed());
  assert.equal(table.size, 20_000);
  assert.ok(table.byteLength >= 20_000 * 24 + 2 ** 15 * 4 && table.byteLength < kernel.memory.allocatedBytes);
});

test('a table within so many bytes takes no more when it is full', () => {
  for (const bytes of [300_000, 3_000_000]) {
    const { table, see } = open(tableWithin(bytes));
    for (let from = 0; from <= table.capacity; from += 5_000) {
      see(Array.from({ length: 5_000 }, (_, nth) => `s${from + nth}`));
    }
    assert.ok(table.full);
    assert.ok(table.byteLength <= bytes, `${table.byteLength} of ${bytes}`);
    assert.ok(table.capacity > bytes / 100);
  }
  assert.deepEqual(tableWithin(Number.POSITIVE_INFINITY), { capacity: 3 * 2 ** 20, recallBytesMax: 2 ** 25 });
  assert.ok(tableWithin(0).capacity! > 0);
});

test('it behaves like a Map, whatever is seen, swept and seen again', () => {
  const names = Array.from({ length: 3000 }, (_, index) => `s${index}`);
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.nat(2999), fc.nat(900)).map(([from, count]) => ({ from, count })) },
    { weight: 1, arbitrary: fc.nat(2).map((keep) => ({ keep })) },
  );
  const capacities = fc.constantFrom(500, 2500, 100_000);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), capacities, fc.boolean(), (steps, capacity, mayPass) => {
      const { table, see } = open({ capacity });
      table.mayPass = mayPass;
      const model = new Map<string, { ref: number; epoch: number }>();
      for (const [epoch, action] of steps.entries()) {
        table.epoch = epoch;
        if ('keep' in action) {
          const gone = [...model].filter(([, { epoch: seen }]) => seen < epoch - action.keep);
          const freed = table.sweep(Math.max(0, epoch - action.keep));
          assert.deepEqual([...freed].toSorted(), gone.map(([, { ref }]) => ref).toSorted());
          for (const [name] of gone) model.delete(name);
        } else {
          const some = names.slice(action.from, action.from + action.count);
          const refs = see(some);
          for (const [index, name] of some.entries()) {
            const known = model.get(name);
            const isAmongStrangers =
              mayPass && index >= 64 && refs.slice(index - 64, index).every((ref) => ref === NO_REF);
            const isPassed = isAmongStrangers && index % 8 !== 0 && refs[index] === NO_REF;
            if (known !== undefined && !isPassed) assert.equal(refs[index], known.ref);
            else if (model.size >= capacity) assert.equal(refs[index], NO_REF);
            if (refs[index] !== NO_REF) model.set(name, { ref: refs[index]!, epoch });
          }
        }
        assert.equal(table.size, model.size);
        assert.equal(new Set([...model.values()].map(({ ref }) => ref)).size, model.size, 'no ref twice');
        assert.ok(table.refLimit <= Math.min(capacity, 3000));
      }
    }),
    runs(60),
  );
});

const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);

test('the reference is SipHash: vectors of its authors for 2-4 rounds', () => {
  const hex = (data: Uint8Array) => {
    const out = Buffer.alloc(16);
    const [first, second] = referenceSipHash(KEY, data, 2, 4);
    out.writeBigUInt64LE(first);
    out.writeBigUInt64LE(second, 8);
    return out.toString('hex');
  };
  assert.equal(hex(new Uint8Array()), 'a3817f04ba25a8e66df67214c7550293');
  assert.equal(hex(Uint8Array.of(0)), 'da87c1d86b99af44347659119b22fc45');
});

test('fingerprints are SipHash-1-3 of the labels under the key that the identity gives', () => {
  const { kernel, columns, see } = open({ key: KEY });
  for (const identity of ['', 'job=x', 'longer than eight bytes']) {
    const names = Array.from({ length: 40 }, (_, length) => 'n'.repeat(length + 1));
    see(names, identity);
    const derived = Buffer.alloc(16);
    for (const [index, word] of referenceSipHash(KEY, Buffer.from(identity), 1, 3).entries()) {
      derived.writeBigUInt64LE(word, index * 8);
    }
    for (const [index, value] of names.entries()) {
      const label = Buffer.from(`\x0a\x08__name__\x12${String.fromCharCode(value.length)}${value}`);
      const bytes = Buffer.concat([Buffer.of(0x0a, label.length), label]);
      const at = (columns.rowsPtr + index * 64 + 48) / 8;
      const found = kernel.memory.u64().slice(at, at + 2);
      assert.deepEqual([...found], referenceSipHash(derived, bytes, 1, 3), value);
    }
  }
});

test('all 128 bits of a fingerprint count', () => {
  const { kernel, table, columns, see } = open();
  see(['a', 'b', 'c']);
  const words = kernel.memory.u64();
  for (const index of [0, 1, 2]) kernel.memory.u32()[columns.rowsPtr / 4 + index * 16] = NO_REF;
  for (const index of [0, 1, 2])
    words.set([5n, index === 2 ? 0n : BigInt(index)], columns.rowsPtr / 8 + index * 8 + 6);
  const { exports } = kernel;
  assert.equal(exports.internSeries(table.headerPtr, columns.rowsPtr, 0, 3, columns.addedPtr), 2);
  assert.deepEqual([columns.ref(0), columns.ref(1), columns.ref(2)], [3, 4, 3]);
});

test('the key of every table is its own', () => {
  const fingerprint = () => {
    const { kernel, columns, see } = open();
    see(['a']);
    return kernel.memory.u64()[columns.rowsPtr / 8 + 6];
  };
  assert.notEqual(fingerprint(), fingerprint());
});
