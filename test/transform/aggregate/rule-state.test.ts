import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { Grouping } from '../../../src/transform/aggregate/grouping.ts';
import { RuleState, type SweepPorts } from '../../../src/transform/aggregate/rule-state.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { NO_PAIR } from '../../../src/transform/state/label-pairs.ts';
import { Samples } from '../../../src/transform/state/samples.ts';
import { NO_SLOT } from '../../../src/transform/state/slots.ts';

const grouping = new Grouping({ by: ['g'], without: [] });
const options = { tellsSeries: true, grouping, colours: 1, slotsMax: 100 } as const;
const series = (g: string, input: string) =>
  Labels.of([
    ['g', g],
    ['input', input],
  ]);
const quiet: SweepPorts = { clearGroup() {}, forgetCounter() {}, isHeld: () => false };

function touch(state: RuleState, targets: readonly number[], deadlineMs: number): void {
  const samples = new Samples();
  for (const target of targets) {
    samples.groups[samples.length] = state.groupOf(target);
    samples.series[samples.length++] = target;
  }
  state.touch(samples, deadlineMs);
}

test('series of one group, and groups that are their series', () => {
  const state = new RuleState(options);
  const first = state.place(series('g', 'a'));
  const second = state.place(series('g', 'b'));
  assert.notEqual(first, second);
  assert.equal(state.place(series('g', 'a')), first);
  assert.equal(state.groupOf(first), state.groupOf(second));
  assert.notEqual(state.place(series('h', 'a')), first);
  const identity = new RuleState({ ...options, grouping: new Grouping({ by: [], without: [] }) });
  const target = identity.place(series('g', 'a'));
  assert.equal(identity.groupOf(target), target);
  assert.equal(identity.groupOfTarget, undefined);
});

test('a group lives as long as its youngest series, also over a restart, and is empty when it lived no more', () => {
  const labels = ['g', 'h'].flatMap((g) => ['a', 'b', 'c'].map((input) => series(g, input)));
  const groupOf = (nth: number) => Math.floor(nth / 3);
  const action = fc.record({
    touched: fc.array(fc.nat(5), { maxLength: 3 }),
    livesMs: fc.integer({ min: -1, max: 4 }),
    isRestart: fc.nat(9),
  });
  const model = () => {
    let state = new RuleState(options);
    const pinned = () =>
      labels.map((one) => {
        const target = state.place(one);
        state.targets.pin(target);
        return target;
      });
    let targets = pinned();
    const deadlines = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const counts = [0, 0];
    return (
      nowMs: number,
      { touched, livesMs, isRestart }: { touched: number[]; livesMs: number; isRestart: number },
    ) => {
      if (isRestart === 0) {
        const to = new ByteWriter();
        state.save(to);
        state = new RuleState(options);
        state.load(new ByteReader(to.bytes()));
        targets = pinned();
      }
      const slots = [0, 3].map((nth) => state.groupOf(targets[nth]!));
      touch(
        state,
        touched.map((nth) => targets[nth]!),
        nowMs + livesMs,
      );
      for (const nth of touched) {
        counts[groupOf(nth)]!++;
        deadlines[groupOf(nth)] = Math.max(deadlines[groupOf(nth)]!, nowMs + livesMs);
      }
      const alive = [0, 1].filter((group) => nowMs <= deadlines[group]!);
      const count = state.sweep(nowMs, quiet);
      assert.deepEqual(
        [...state.alive.subarray(0, count)].sort(),
        alive.map((group) => slots[group]!).sort(),
      );
      for (const group of [0, 1]) {
        if (!alive.includes(group)) counts[group] = 0;
        assert.equal(state.sampleCounts![0]!.data[slots[group]!], counts[group]);
      }
    };
  };
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const step = model();
      for (const [nowMs, one] of actions.entries()) step(nowMs, one);
    }),
  );
});

test('what nobody needs is released at the sweep: first the series, then its group', () => {
  const state = new RuleState(options);
  const target = state.place(series('g', 'a'));
  touch(state, [target], 50);
  assert.equal(state.sweep(50, quiet), 1, 'it lives to the very end');
  assert.equal(state.sampleCounts![0]!.data[state.groupOf(target)], 1);
  state.targets.pin(target);
  assert.equal(state.sweep(51, quiet), 0);
  assert.equal(state.sampleCounts![0]!.data[0], 0, 'emptied');
  assert.equal(state.series!.size, 1, 'a ref points to it');
  state.targets.unpin(target);
  assert.equal(state.sweep(60, { ...quiet, isHeld: () => true }), 0);
  assert.equal(state.series!.size, 1, 'a sample waits for it');
  state.sweep(70, quiet);
  assert.deepEqual([state.series!.size, state.groups.size], [0, 1]);
  state.sweep(80, quiet);
  assert.equal(state.groups.size, 0);
  assert.equal(state.pairs.size, 0, 'nobody holds their labels');
});

test('there is an end to slots', () => {
  const state = new RuleState({ ...options, slotsMax: 2 });
  assert.ok(state.place(series('g', 'a')) >= 0);
  assert.ok(state.place(series('g', 'b')) >= 0);
  assert.equal(state.place(series('g', 'c')), NO_SLOT);
  assert.equal(state.place(series('h', 'c')), NO_SLOT);
  assert.equal(state.place(series('i', 'c')), NO_SLOT);
  assert.equal(state.pairs.find('input', 'c'), NO_PAIR, 'labels of what has no room are not kept');
});

test('saved state has the same slots; a series without its group is damage', () => {
  const state = new RuleState(options);
  const targets = ['a', 'b', 'c'].map((input) => state.place(series(input === 'c' ? 'h' : 'g', input)));
  touch(state, targets, 50);
  const to = new ByteWriter();
  state.save(to);
  const next = new RuleState(options);
  next.load(new ByteReader(to.bytes()));
  assert.deepEqual(
    ['a', 'b'].map((input) => next.place(series('g', input))),
    targets.slice(0, 2),
  );
  assert.equal(next.sweep(50, quiet), 2);
  next.sweep(60, quiet);
  next.sweep(60, quiet);
  assert.deepEqual([next.series!.size, next.groups.size, next.pairs.size], [0, 0, 0]);

  const broken = Uint8Array.from(to.bytes());
  const groupOf = Buffer.from(Int32Array.of(0, 0, 1).buffer);
  const at = Buffer.from(broken.buffer).lastIndexOf(groupOf);
  assert.ok(at > 0);
  broken[at] = 77;
  assert.throws(() => new RuleState(options).load(new ByteReader(broken)), DamagedState);
});
