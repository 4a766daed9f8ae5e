import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type CheckpointPart,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../../src/transform/aggregate/checkpoint.ts';
import { outputs } from '../../../src/transform/aggregate/outputs/index.ts';
import { ByteWriter } from '../../../src/transform/state/bytes.ts';
import { labelsOf } from '../support/batch.ts';
import { Harness } from '../support/harness.ts';

test('parts come back as they were', () => {
  const parts = [
    { id: 'a', state: Uint8Array.of(1, 2, 3) },
    { id: 'größer', state: new Uint8Array(0) },
  ];
  const { bytes, omitted } = encodeCheckpoint(
    parts.map(({ id, state }) => ({ id, write: (to) => to.numbers(state) })),
  );
  assert.deepEqual(omitted, []);
  const decoded = decodeCheckpoint(bytes);
  assert.equal(decoded.problem, undefined);
  assert.deepEqual(
    [...decoded.parts].map(([id, state]) => ({ id, state: Uint8Array.from(state) })),
    parts,
  );
});

test('a checkpoint that would be too large leaves parts out, and those that are too large themselves', () => {
  const part = (id: string, bytes: number): CheckpointPart => ({
    id,
    write: (to) => to.numbers(new Uint8Array(bytes)),
  });
  const parts = [part('0', 5000), part('1', 2000), part('2', 2900), part('3', 200), part('4', 10)];
  const { bytes, omitted } = encodeCheckpoint(parts, { bytesMax: 5000 });
  assert.deepEqual(omitted, ['0', '3']);
  assert.deepEqual([...decodeCheckpoint(bytes).parts.keys()], ['1', '2', '4']);
});

const everything = Object.values(outputs).map(({ name, args }) => args?.example ?? name);
const quoted = everything.map((output) => JSON.stringify(output)).join(', ');
const rules = `
- {interval: 1m, by: [g], outputs: [${quoted}]}
- {interval: 1m, outputs: [total, rate_sum], dedup_interval: 30s, enable_windows: true}
`;

function filled(): Harness {
  const harness = new Harness(rules);
  for (let index = 0; index < 30; index++) harness.pushNow({ [`foo{g="${index % 3}",i="${index}"}`]: index });
  harness.advance(70_000);
  for (let index = 0; index < 30; index++) harness.pushNow({ [`foo{g="${index % 3}",i="${index}"}`]: index });
  return harness;
}

test('damaged bytes are a problem that is told, never an error that is thrown', () => {
  const { bytes } = encodeCheckpoint(filled().aggregators.save());
  const damage = fc.oneof(
    fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
    fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => {
      const copy = Uint8Array.from(bytes);
      copy[at]! ^= flip;
      return copy;
    }),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(damage, (damaged) => {
      const decoded = decodeCheckpoint(damaged);
      assert.equal(typeof decoded.problem, 'string');
      assert.equal(decoded.parts.size, 0);
    }),
    { numRuns: 1000 },
  );
});

test('parts that are damaged and pass all the same leave a rule empty or with some state, and it works on', () => {
  const saved = filled()
    .aggregators.save()
    .map(({ id, write }) => {
      const to = new ByteWriter();
      write(to);
      return { id, state: to.bytes() };
    });
  fc.assert(
    fc.property(
      fc.nat(saved.length - 1),
      fc.nat(),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      (part, cut, changes) => {
        const { id, state } = saved[part]!;
        const copy = Uint8Array.from(state.subarray(0, cut % 3 === 0 ? cut % state.length : state.length));
        for (const [at, value] of changes) if (copy.length > 0) copy[at % copy.length] = value;
        const harness = new Harness(rules);
        const { restored, problems } = harness.aggregators.load(new Map([[id, copy]]));
        assert.equal(restored + problems.length, 1);
        for (let index = 0; index < 30; index++)
          harness.pushNow({ [`foo{g="${index % 3}",i="${index}"}`]: index });
        harness.clock.advance(120_000);
        harness.flush();
        harness.aggregators.save();
      },
    ),
    { numRuns: 500 },
  );
});

test('parts of rules that are gone are left alone', () => {
  const { parts } = decodeCheckpoint(encodeCheckpoint(filled().aggregators.save()).bytes);
  const other = new Harness('- {interval: 1m, outputs: [last]}');
  assert.deepEqual(other.aggregators.load(parts), { restored: 0, problems: [] });
  other.aggregators.seriesPlan(0, labelsOf('a'));
});
