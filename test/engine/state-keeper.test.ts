/** When the engine is told the time and asked for its state, and from where a new one goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineState, FromEngine } from '../../src/engine/messages.ts';
import { StateKeeper } from '../../src/engine/state-keeper.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

function setUp(restored?: Uint8Array<ArrayBuffer>) {
  const clock = new FakeClock();
  const log = recordingLogger();
  const calls: string[] = [];
  let latest: EngineState | undefined;
  let unused: EngineState | undefined;
  const store = { isWriting: false };
  const keeper = new StateKeeper({
    clock,
    log,
    tick: (isLate) => calls.push(isLate ? 'late tick' : 'tick'),
    save: (memory) => calls.push(memory === undefined ? 'save' : `save in ${memory.byteLength}`),
    states: {
      offer(state) {
        calls.push(`state ${state.at}`);
        unused = latest;
        latest = state;
      },
      takeUnused() {
        const state = unused;
        unused = undefined;
        return state;
      },
      get isWriting() {
        return store.isWriting;
      },
    },
    restored,
  });
  keeper.isActive = true;
  const answer = (over: Partial<FromEngine> & { nextFlushMs?: number; keptBytes?: number }) => {
    const { nextFlushMs = Number.POSITIVE_INFINITY, keptBytes = 0, ...news } = over;
    const aggregation = { nextFlushMs, stages: undefined };
    const message = { problems: [], reached: 0, aggregation, ...news };
    keeper.took(message as unknown as FromEngine, keptBytes);
  };
  const state = (at: number) => ({ bytes: new Uint8Array(new SharedArrayBuffer(1)), at });
  const taken = () => calls.splice(0);
  return { clock, log, keeper, store, answer, state, taken };
}

test('bodies are needed again from the last state on; without any, all are', () => {
  const { keeper, answer, state } = setUp();
  assert.equal(keeper.neededFrom, 0);
  answer({ state: state(7.25) });
  assert.equal(keeper.neededFrom, 8);
  keeper.isActive = false;
  assert.deepEqual([keeper.neededFrom, keeper.state], [Number.POSITIVE_INFINITY, undefined]);
});

test('what an earlier run left is where the first engine begins', () => {
  const { keeper } = setUp(new Uint8Array([1]));
  assert.deepEqual([keeper.state?.at, keeper.neededFrom], [0, 1]);
});

test('the time is told when a window ends, and not before the program is awake', () => {
  const { clock, keeper, answer, state, taken } = setUp();
  answer({ nextFlushMs: clock.nowMs() + 50 });
  clock.advance(100);
  assert.deepEqual(taken(), []);
  keeper.wake();
  answer({ state: state(0), nextFlushMs: clock.nowMs() + 50 });
  assert.deepEqual(taken(), ['late tick', 'save', 'state 0']);
  clock.advance(49);
  assert.deepEqual(taken(), []);
  clock.advance(1);
  assert.deepEqual(taken(), ['tick']);
  answer({ nextFlushMs: clock.nowMs() + 3_600_000 });
  clock.advance(10_000);
  assert.deepEqual(taken(), ['tick'], 'the wall clock may have been set');
  keeper.stop();
  clock.advance(3_600_000);
  assert.deepEqual(taken(), []);
});

test('the state is saved now and then, where an older one lay: not without news, sooner when bodies take memory, seldom when it takes long', () => {
  const { clock, keeper, answer, state, taken } = setUp();
  keeper.wake();
  answer({ state: state(0), saveMs: 1 });
  taken();
  clock.advance(9_000);
  answer({ reached: 5 });
  assert.deepEqual(taken(), []);
  answer({ reached: 5, keptBytes: 17 * 1024 * 1024 });
  assert.deepEqual(taken(), ['save']);
  answer({ reached: 6, keptBytes: 17 * 1024 * 1024 });
  assert.deepEqual(taken(), [], 'one at a time');
  answer({ reached: 6, state: state(6), saveMs: 1_000 });
  taken();
  clock.advance(10_000);
  answer({ reached: 7 });
  assert.deepEqual(
    taken().filter((call) => call.startsWith('save')),
    [],
  );
  answer({ reached: 7, keptBytes: 31 * 1024 * 1024 });
  assert.deepEqual(
    taken().filter((call) => call.startsWith('save')),
    [],
  );
  answer({ reached: 7, keptBytes: 33 * 1024 * 1024 });
  assert.deepEqual(
    taken().filter((call) => call.startsWith('save')),
    ['save in 1'],
  );
  answer({ reached: 7, state: state(7), saveMs: 1_000 });
  taken();
  clock.advance(20_000);
  answer({ reached: 8 });
  assert.deepEqual(
    taken().filter((call) => call.startsWith('save')),
    ['save in 1'],
  );
  answer({ reached: 8, state: state(8) });
  clock.advance(60_000);
  taken();
  answer({ reached: 8 });
  assert.deepEqual(
    taken().filter((call) => call.startsWith('save')),
    [],
  );
});

test('while a state is written, bodies are kept rather than a third state, up to a point', () => {
  const { clock, keeper, store, answer, state, taken } = setUp();
  const saves = () => taken().filter((call) => call.startsWith('save'));
  keeper.wake();
  answer({ state: state(0), saveMs: 1 });
  saves();
  clock.advance(10_000);
  store.isWriting = true;
  answer({ reached: 5, keptBytes: 32 * 1024 * 1024 });
  assert.deepEqual(saves(), []);
  answer({ reached: 5, keptBytes: 33 * 1024 * 1024 });
  assert.deepEqual(saves(), ['save']);
  answer({ reached: 5, state: state(5), saveMs: 1 });
  clock.advance(10_000);
  answer({ reached: 6 });
  assert.deepEqual(saves(), []);
  store.isWriting = false;
  answer({ reached: 6 });
  assert.deepEqual(saves(), ['save in 1']);
});

test('a new engine is told the time; state that it dies of twice is given up', () => {
  const { log, keeper, answer, state, taken } = setUp();
  keeper.wake();
  answer({ state: state(4) });
  taken();
  keeper.died(false, 9);
  keeper.restarted();
  assert.deepEqual(taken(), ['tick']);
  assert.equal(keeper.state?.at, 4);
  keeper.died(true, 9);
  assert.equal(keeper.state?.at, 4, 'a body is taken for the cause');
  keeper.died(false, 9);
  assert.deepEqual([keeper.state?.at, keeper.state?.bytes.length], [9, 0]);
  assert.match(log.lines.map(({ message }) => message).join(), /made the engine die twice/);
});

test('what cannot be restored is told', () => {
  const { log, keeper, answer } = setUp();
  answer({ problems: ['rules.yaml:1:3: no time'] });
  assert.equal(keeper.losses, 1);
  assert.match(JSON.stringify(log.lines), /rules\.yaml:1:3: no time/);
});
