/** Series that come in the order of last time: the table against a Map of label bytes, whatever was learned. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeWorkload } from '../../bench/load/workload.ts';
import { NO_REF, type SeriesRow } from '../../src/kernel/columns.ts';
import { type Columns, compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { SeriesTable, type SeriesTableOptions } from '../../src/series/table.ts';
import { mutate } from '../kernel/support/bodies.ts';
import { atEdge } from '../kernel/support/guarded.ts';
import { Random } from '../kernel/support/random.ts';
import { runs } from '../support/runs.ts';

const module = compileKernel();
const ROW_BYTES = 64;
const FINGERPRINT_AT = 48;
const INPUT_BYTES = 1 << 20;
const NOW = 1_790_000_000_000;
const NO_FINGERPRINT = 0xeeeeeeeeeeeeeeeen;

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const field = (tag: number, bytes: readonly number[]) => [tag, ...varint(bytes.length), ...bytes];
const text = (tag: number, value: string) => (value === '' ? [] : field(tag, [...Buffer.from(value)]));
const label = (name: string, value: string) => field(0x0a, [...text(0x0a, name), ...text(0x12, value)]);
const sample = (value: number, timestamp: number) =>
  field(0x12, [...(value === 0 ? [] : [0x09, 0, 0, 0, 0, 0, 0, value, 0x40]), 0x10, ...varint(timestamp)]);
const labelsOf = (pairs: Readonly<Record<string, string>>) =>
  Object.entries(pairs).flatMap(([name, value]) => label(name, value));
/** A series with one sample. */
const series = (pairs: Readonly<Record<string, string>>, value = 1) =>
  field(0x0a, [...labelsOf(pairs), ...sample(value, NOW)]);

/** A table, the refs that a Map gives, and whoever was not looked up. */
function open(options?: SeriesTableOptions) {
  const kernel = new Kernel(module);
  const table = new SeriesTable(kernel, options);
  const columns = kernel.createColumns();
  const fresh = kernel.createColumns();
  const input = kernel.memory.alloc(INPUT_BYTES);
  const suffix = kernel.memory.alloc(64);
  const model = new Map<string, { ref: number; epoch: number }>();

  /** Some series may have been seen in a message that was refused. */
  let isVague = false;
  let rowsMax = 0;

  const identityOf = (name: string) => {
    const length = Buffer.from(name).copy(kernel.memory.bytes(), suffix);
    return { ptr: suffix, length };
  };
  const bytesAt = (ptr: number, length: number) =>
    Buffer.from(kernel.memory.bytes().subarray(ptr, ptr + length)).toString('hex');
  const shown = (from: Columns, index: number) => {
    const { ref: _, labelsPtr, labelsLength, restPtr, restLength, ...row } = from.row(index);
    return { ...row, labels: bytesAt(labelsPtr, labelsLength), rest: bytesAt(restPtr, restLength) };
  };
  const isInMessage = ({ labelsPtr }: SeriesRow) => labelsPtr >= input && labelsPtr < input + INPUT_BYTES;

  /** Takes a message as the pipeline does; returns its refs, or undefined when it is malformed. */
  const take = (message: Uint8Array, { name = '', checks = false } = {}): number[] | undefined => {
    kernel.memory.bytes().set(message, input);
    const found = kernel.validateWriteRequest(input, message.length);
    const identity = identityOf(name);
    const rows = columns.rowsPtr;
    const size = table.size;
    rowsMax = Math.max(rowsMax, columns.seriesCount);
    if (rows !== 0) {
      const words = kernel.memory.u64();
      for (let row = 0; row < rowsMax; row++)
        words[(rows + row * ROW_BYTES + FINGERPRINT_AT) / 8] = NO_FINGERPRINT;
    }
    if (checks || 'error' in found) {
      const checked = columns.check(input, message.length, table, true, identity);
      if (checked === undefined) {
        assert.equal(table.size, size, 'nothing stays of what is refused');
        assert.equal(columns.seriesCount, 0);
      } else assert.deepEqual(checked, found);
      if ('error' in found) {
        assert.equal(checked, undefined);
        isVague = true;
        return undefined;
      }
      if (checked === undefined) columns.scan(input, message.length, table, true, identity);
    } else columns.scan(input, message.length, table, true, identity);
    fresh.scan(input, message.length, undefined, true);
    assert.equal(columns.seriesCount, fresh.seriesCount);
    assert.equal(columns.sampleCount, fresh.sampleCount);
    assert.equal(columns.metadataCount, fresh.metadataCount);
    const { timestampWords, valueWords } = columns.samples;
    assert.deepEqual(timestampWords, fresh.samples.timestampWords);
    assert.deepEqual(valueWords, fresh.samples.valueWords);
    return compare(name);
  };

  const compare = (name: string): number[] => {
    const refs: number[] = [];
    const added: number[] = [];
    for (let index = 0; index < fresh.seriesCount; index++) {
      const expected = shown(fresh, index);
      assert.deepEqual(shown(columns, index), expected);
      assert.equal(columns.slot(index), fresh.slot(index));
      if (isInMessage(fresh.row(index)))
        assert.equal(columns.row(index).labelsPtr, fresh.row(index).labelsPtr);
      const ref = columns.ref(index);
      refs.push(ref);
      const key = `${name} ${expected.labels}`;
      const known = model.get(key);
      if (known !== undefined) assert.equal(ref, known.ref, key);
      else if (model.size >= table.capacity) assert.equal(ref, NO_REF);
      else added.push(index);
      if (ref !== NO_REF) model.set(key, { ref, epoch: table.epoch });
    }
    assert.deepEqual(
      added,
      Array.from({ length: columns.addedCount }, (_, nth) => columns.addedSeries(nth)),
    );
    assert.equal(table.size, model.size);
    assert.equal(new Set([...model.values()].map(({ ref }) => ref)).size, model.size, 'no ref twice');
    return refs;
  };

  const sweep = (minEpoch: number) => {
    const gone = [...model].filter(([, { epoch }]) => epoch < minEpoch);
    const freed = new Set(table.sweep(minEpoch));
    if (!isVague) assert.equal(freed.size, gone.length);
    for (const [key, { ref }] of gone) if (freed.delete(ref)) model.delete(key);
    assert.equal(freed.size, 0, 'nothing goes that was seen');
  };

  /** The indices of the rows of the last message that were not looked up. */
  const recalled = () =>
    Array.from({ length: columns.seriesCount }, (_, index) => index).filter(
      (index) =>
        kernel.memory.u64()[(columns.rowsPtr + index * ROW_BYTES + FINGERPRINT_AT) / 8] === NO_FINGERPRINT,
    );
  return { kernel, columns, table, take, sweep, recalled };
}

/** With metadata at the end, so that its last series is recalled, too: comparisons read 16 bytes at a time. */
const request = (...all: readonly (readonly number[])[]) =>
  Uint8Array.from([...all.flat(), ...field(0x1a, text(0x22, 'what this is about'))]);
const hundred = Array.from({ length: 100 }, (_, index) => ({
  __name__: index % 10 < 6 ? 'seconds_bucket' : `gauge_${index % 10}`,
  ...(index % 10 < 6 ? { le: String(10 ** (index % 10)) } : { zone: 'b' }),
  pod: `pod-${Math.floor(index / 10)}-${'x'.repeat(index % 3)}`,
}));
const all = request(...hundred.map((pairs) => series(pairs)));
const from = (first: number) => Array.from({ length: 100 - first }, (_, index) => first + index);

test('the third time, only the first series of a message is looked up', () => {
  const { take, recalled } = open();
  take(all);
  assert.deepEqual(recalled(), []);
  take(all);
  assert.deepEqual(recalled(), [], 'what was new is learned when it comes again');
  take(all);
  assert.deepEqual(recalled(), from(1));
});

test('it does not matter where messages begin, and what the samples are', () => {
  const { take, recalled } = open();
  for (let time = 0; time < 2; time++) take(all);
  const parts = [hundred.slice(0, 37), hundred.slice(37, 38), hundred.slice(38)];
  for (const [nth, part] of parts.entries()) {
    // A value of 0 is left out, so entries have other lengths and distances.
    take(request(...part.map((pairs, index) => series(pairs, (index + nth) % 3))));
    assert.equal(recalled().length, part.length - 1);
  }
});

test('a series that is missing, new or changed costs itself and the one behind it', () => {
  const { take, recalled } = open();
  for (let time = 0; time < 2; time++) take(all);
  const without = (...gone: number[]) => from(1).filter((index) => !gone.includes(index));
  take(request(...hundred.toSpliced(50, 1).map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), without(50, 99));
  take(request(...hundred.toSpliced(20, 1, { __name__: 'other' } as never).map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), without(20, 21));
  const more = hundred.toSpliced(80, 1, { ...hundred[80]!, pod: 'pod-9' });
  take(request(...more.map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), without(80, 81));
  take(request(...more.map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), without(80, 81), 'what came before it may be on its way back');
  take(request(...more.map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), without(80));
  take(request(...more.map((pairs) => series(pairs))));
  assert.deepEqual(recalled(), from(1));
});

test('equal beginnings are not enough: one label more, one byte less', () => {
  const { take, recalled } = open();
  const pairs = { __name__: 'up', instance: 'a'.repeat(40) };
  const first = series({ __name__: 'first' });
  for (let time = 0; time < 3; time++) take(request(first, series(pairs), series({ z: 'z' })));
  assert.deepEqual(recalled(), [1, 2]);
  for (const others of [
    { ...pairs, job: 'x' },
    { __name__: 'up' },
    { __name__: 'up', instance: 'a'.repeat(39) },
    { __name__: 'up', instance: `${'a'.repeat(39)}b` },
  ]) {
    take(request(first, series(others), series({ z: 'z' })));
    assert.ok(!recalled().includes(1));
  }
  // A label behind the sample is a label of the series.
  const late = field(0x0a, [...labelsOf(pairs), ...sample(1, 5), ...label('job', 'x')]);
  for (let time = 0; time < 3; time++) {
    take(request(first, late, series({ z: 'z' })));
    assert.deepEqual(recalled(), []);
  }
});

test('a byte that differs, wherever it is, makes another series', () => {
  for (let bytes = 1; bytes < 36; bytes += 3) {
    const { take, recalled } = open();
    const before = series({ a: 's'.repeat(bytes), b: 'x', c: 't'.repeat(bytes) });
    const after = { a: 's'.repeat(bytes), b: 'y'.repeat(bytes), c: 't'.repeat(bytes) };
    for (let time = 0; time < 3; time++) take(request(before, series(after)));
    assert.deepEqual(recalled(), [1]);
    for (const name of ['a', 'b', 'c'] as const) {
      for (let at = 0; at < bytes; at++) {
        const value = `${after[name].slice(0, at)}!${after[name].slice(at + 1)}`;
        take(request(before, series({ ...after, [name]: value })));
        assert.deepEqual(recalled(), []);
      }
    }
  }
});

test('what is remembered anew leaves its neighbours alone', () => {
  for (let bytes = 1; bytes < 12; bytes++) {
    const { take, recalled } = open();
    const [x, y, z] = ['x', 'yyyyy', 'z'].map((name) => series({ same: 'same', name })) as number[][];
    const other = series({ same: 'same', name: 'o'.repeat(bytes) });
    for (let time = 0; time < 2; time++) take(request(x!, y!, z!));
    for (let time = 0; time < 4; time++) take(request(x!, other));
    assert.deepEqual(recalled(), [1]);
    take(request(y!, z!));
    assert.deepEqual(recalled(), [1]);
  }
});

test('each identity has an order of its own', () => {
  const { take, recalled } = open();
  for (let time = 0; time < 2; time++) take(all, { name: 'tenant 1' });
  take(all, { name: 'tenant 2' });
  assert.deepEqual(recalled(), []);
  take(all, { name: 'tenant 1' });
  assert.deepEqual(recalled(), from(1));
});

test('a series that left the table is not recalled, nor is what has its ref now', () => {
  const { table, take, sweep, recalled } = open();
  for (let time = 0; time < 3; time++) take(all);
  table.epoch = 1;
  take(request(...hundred.filter((_, index) => index % 2 === 0).map((pairs) => series(pairs))));
  sweep(1);
  take(request(...hundred.toReversed().map((pairs) => series({ ...pairs, new: 'er' }))));
  take(all);
  assert.deepEqual(recalled(), []);
  assert.equal(table.size, 200);
});

test('series that never come again take no memory', () => {
  const { table, take } = open();
  take(all);
  const before = table.byteLength;
  for (let time = 0; time < 5; time++) {
    take(request(...hundred.map((pairs) => series({ ...pairs, time: String(time) }))));
  }
  assert.equal(table.size, 600);
  // Its fingerprint and its place are what each takes in any case.
  const records = table.byteLength - before - 500 * (16 + 8);
  assert.ok(records <= 16, `${records} bytes`);
});

test('what a sender really sends takes some 40 bytes a series', () => {
  const { table, take, recalled } = open();
  const [body] = makeWorkload({ series: 1000, seriesPerRequest: 1000, scrapes: 1 });
  take(body!.raw);
  const before = table.byteLength;
  for (let time = 0; time < 2; time++) take(body!.raw);
  assert.ok(recalled().length > 985, `${recalled().length}`);
  const bytes = (table.byteLength - before) / 1000;
  assert.ok(bytes > 20 && bytes < 50, `${bytes}`);
});

test('a series that is missing now and then is not forgotten', () => {
  const { take, recalled } = open();
  const without = request(...hundred.toSpliced(50, 1).map((pairs) => series(pairs)));
  for (let time = 0; time < 2; time++) take(all);
  for (let time = 0; time < 4; time++) {
    take(without);
    assert.equal(recalled().length, 97);
    take(all);
    assert.deepEqual(recalled(), from(1));
  }
});

test('neighbours that have nothing in common take few bytes, and are looked up', () => {
  const { table, take, recalled } = open();
  const strangers = Array.from({ length: 50 }, (_, nth) => ({ [`n${nth}`]: `${nth}`.repeat(300) }));
  const body = request(...strangers.map((pairs) => series(pairs)));
  take(body);
  const before = table.byteLength;
  for (let time = 0; time < 5; time++) take(body);
  assert.deepEqual(recalled(), []);
  assert.ok(table.byteLength - before < 50 * 16, `${table.byteLength - before}`);
});

test('an order that changes all the time is not learned all the time', () => {
  const { table, take, recalled } = open();
  const reversed = request(...hundred.toReversed().map((pairs) => series(pairs)));
  for (let time = 0; time < 2; time++) take(all);
  const before = table.byteLength;
  for (let time = 0; time < 64; time++) take(time % 2 === 0 ? reversed : all);
  assert.ok(table.byteLength - before < 64 * 100 * 10, `${table.byteLength - before}`);
  for (let time = 0; time < 8; time++) take(all);
  assert.deepEqual(recalled(), from(1), 'in the end it is');
});

test('a cycle of more series than there is room for keeps those that are in it', () => {
  const { take, recalled } = open({ recallBytesMax: 2048 });
  for (let time = 0; time < 2; time++) take(all);
  take(all);
  const kept = recalled();
  assert.ok(kept.length > 20 && kept.length < 99, `${kept.length}`);
  for (let time = 0; time < 5; time++) {
    take(all);
    assert.deepEqual(recalled(), kept);
  }
});

test('an arena that is full of what is dead begins anew', () => {
  const { table, take, sweep, recalled } = open({ recallBytesMax: 16_384 });
  for (let time = 1; time < 8; time++) {
    table.epoch = time;
    const body = request(...hundred.map((pairs) => series({ ...pairs, cluster: `c-${time}` })));
    for (let again = 0; again < 4; again++) take(body);
    assert.deepEqual(recalled(), from(1));
    sweep(time);
  }
});

test('what was remembered of the last ref is forgotten, too, when the arena begins anew', () => {
  const { table, take, sweep } = open({ recallBytesMax: 4096 });
  const pair = (name: string) => ['1', '2'].map((le) => series({ name, le })) as [number[], number[]];
  const names = Array.from({ length: 25 }, (_, index) => `n-${index + 10}`);
  take(request(...names.flatMap(pair)));
  const [first, second] = pair('n-999');
  take(request(second));
  take(request(first));
  let used = 0;
  for (let time = 1; table.byteLength >= used; time++) {
    used = table.byteLength;
    table.epoch = time;
    // The first record of all is that of the last ref.
    if (time === 1) take(request(first, second));
    take(request(first));
    take(request(second));
    sweep(time);
    for (let again = 0; again < 2; again++) {
      for (const name of names) take(request(...pair(`${name}${time % 10}`)));
    }
    assert.equal(table.refLimit, 52);
  }
  take(request(first, second));
});

test('records end where their arena does', () => {
  const bytes = 4096 - 512;
  const { kernel, take } = open({ recallBytesMax: bytes });
  const alloc = kernel.memory.alloc.bind(kernel.memory);
  let end = 0;
  kernel.memory.alloc = (byteLength) => {
    const ptr = alloc(byteLength);
    if (byteLength === bytes) {
      end = ptr + bytes;
      kernel.memory.bytes().fill(0xc8, end, end + 512);
    }
    return ptr;
  };
  const strangers = Array.from({ length: 50 }, (_, nth) => ({ name: `${nth}-`.repeat(10 + nth) }));
  for (let time = 0; time < 3; time++) take(request(...strangers.map((pairs) => series(pairs))));
  assert.ok(end > 0);
  const behind = kernel.memory.bytes().subarray(end, end + 512);
  assert.ok(behind.every((byte) => byte === 0xc8));
});

test('any number of labels, any length of them', () => {
  const { take } = open();
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, nth) => [`n${nth}`, 'v']));
  const wide = [254, 255, 256, 257, 300].flatMap((count) =>
    ['a', 'b'].map((z) => series({ ...many(count), z })),
  );
  const long = [21_000, 22_000, 65_500, 65_536, 65_700].flatMap((bytes) =>
    ['a', 'b'].map((z) => series({ name: 'x'.repeat(bytes), z })),
  );
  for (let time = 0; time < 4; time++) take(request(...wide, ...long));
});

test('what waits to be looked up with others is not passed over', () => {
  const { take } = open();
  const strangers = Array.from({ length: 60 }, (_, nth) => series({ stranger: `${nth}` }));
  const [a, b] = ['a', 'b'].map((name) => series({ name })) as [number[], number[]];
  for (let time = 0; time < 3; time++) take(request(a, b));
  for (let before = 1; before < strangers.length; before++) {
    const between = series({ between: `${before}` });
    take(request(...strangers.slice(0, before), a, between, b));
  }
});

test('a refused message leaves no series behind, and nothing that leads to one', () => {
  const { table, take, recalled } = open();
  for (let time = 0; time < 3; time++) take(all);
  const strange = hundred.map((pairs) => series({ ...pairs, strange: '1' }));
  // The new ones come again behind known ones, so that they are known by then; then a field with a wrong wire type.
  const known = hundred.map((pairs) => series(pairs));
  const bad = request(...strange, ...known, ...strange, [0x08, 0x01]);
  assert.equal(take(bad, { checks: true }), undefined);
  assert.equal(table.size, 100);
  take(request(...hundred.map((pairs) => series({ ...pairs, other: '1' }))));
  take(request(...known, ...strange));
  take(all);
  assert.deepEqual(recalled(), from(1));
});

test('nothing is read behind the end of the memory', () => {
  const { kernel, columns, table, take } = open();
  const bare = hundred.map((pairs) => field(0x0a, labelsOf(pairs)));
  for (let time = 0; time < 3; time++) take(request(...bare));
  for (let behind = 0; behind < 20; behind++) {
    const end = behind < 3 ? [] : [0x8a, 0x01, behind - 3, ...Buffer.alloc(behind - 3, 0x0a)];
    const message = Uint8Array.from([...bare.flat(), ...end]);
    atEdge(kernel.memory, message, (ptr) => {
      columns.scan(ptr, message.length, table);
      assert.equal(columns.seriesCount, 100);
      assert.equal(columns.addedCount, 0);
    });
  }
});

/** Series of a small world: many share labels, some differ in a byte, in length or in number. */
const pairsOf = fc.tuple(fc.nat(4), fc.nat(3), fc.nat(5), fc.nat(7)).map(([name, le, pod, kind]) => ({
  ...(kind === 0 ? {} : { __name__: `metric_${'n'.repeat(name * 3)}` }),
  ...(kind === 1 ? { empty: '' } : {}),
  ...(le === 0 ? {} : { le: '0.5'.slice(0, le) }),
  pod: `p${'o'.repeat(pod * 4)}d${kind === 2 ? 'x'.repeat(300) : ''}`,
}));
const entry = fc.record({
  pairs: pairsOf,
  form: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'late', 'padded', 'bare', 'more'),
});
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;

function encode({ pairs, form }: Entry, value: number): number[] {
  const labels = labelsOf(pairs);
  const one = sample(value, NOW + value);
  if (form === 'late') return field(0x0a, [...one, ...labels]);
  if (form === 'bare') return field(0x0a, labels);
  if (form === 'more') return field(0x0a, [...labels, ...one, ...sample(2, 9), ...field(0x1a, [0x18, 1])]);
  // A length that is longer than it need be.
  if (form === 'padded')
    return field(0x0a, [0x0a, 0x87, 0x00, 0x0a, 1, 0x61, 0x12, 2, 0x62, 0x62, ...labels, ...one]);
  return field(0x0a, [...labels, ...one]);
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      send: fc.oneof(fc.constant([0, 60]), fc.tuple(fc.nat(40), fc.nat(60))),
      name: fc.constantFrom('', '', '', '', 'a'),
      value: fc.nat(3),
      checks: fc.boolean(),
      damage: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ insert: fc.nat(60), entry }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ swap: fc.tuple(fc.nat(60), fc.nat(60)) }) },
  { weight: 1, arbitrary: fc.record({ keep: fc.integer({ min: 1, max: 12 }) }) },
);

test('whatever comes in whatever order, refs are those of a Map and rows those of a scan without a table', () => {
  let rows = 0;
  let fast = 0;
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 10, maxLength: 60, size: 'max' }),
      fc.array(step, { minLength: 15, maxLength: 40, size: 'max' }),
      fc.constantFrom(300, 1000, 3000, 100_000),
      fc.constantFrom(20, 1000, 1000),
      (entries, steps, recallBytesMax, capacity) => {
        const { table, take, sweep, recalled } = open({ recallBytesMax, capacity });
        // Most are different; those that are inserted may be there already.
        const world = entries.map((one, id) => ({ ...one, pairs: { id: String(id), ...one.pairs } }));
        for (const [epoch, action] of steps.entries()) {
          table.epoch = epoch;
          if ('keep' in action) sweep(Math.max(0, epoch - action.keep));
          else if ('insert' in action)
            world.splice(action.insert % (world.length + 1), 0, {
              ...action.entry,
              pairs: { id: '1', ...action.entry.pairs },
            });
          else if ('remove' in action) world.splice(action.remove % world.length, world.length > 1 ? 1 : 0);
          else if ('swap' in action) {
            const [a, b] = action.swap.map((at) => at % world.length) as [number, number];
            [world[a], world[b]] = [world[b]!, world[a]!];
          } else {
            const [first, count] = action.send as [number, number];
            const some = world.slice(first % world.length, (first % world.length) + count);
            const whole = request(...some.map((one, index) => encode(one, (action.value + index) % 3)));
            const { damage, name, checks } = action;
            take(damage === null ? whole : mutate(new Random(damage), whole), { name, checks });
            rows += some.length;
            fast += recalled().length;
          }
        }
      },
    ),
    runs(60),
  );
  assert.ok(fast > rows / 30, `${fast} of ${rows} rows were recalled`);
});
