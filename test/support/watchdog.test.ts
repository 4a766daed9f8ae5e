import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watch } from './watchdog.ts';

/** Code that takes input after input, and does something with each. */
const worker = (each: string) => `
  const { workerData } = require('node:worker_threads');
  const shared = new Int32Array(workerData.shared);
  const kept = [];
  for (let input = 0; input < workerData.inputs && Atomics.load(shared, 1) === 0; input++) {
    Atomics.store(shared, 0, input + 1);
    ${each}
  }
`;
const bounds = {
  isCode: true,
  nameOf: (input: number) => `input ${input}`,
  inputMsMax: 1_000,
  growthBytesMax: 96 * 1024 * 1024,
  budgetMs: 60_000,
};

test('a run that ends by itself is told', async () => {
  const { inputs } = await watch({ ...bounds, worker: worker(''), data: { inputs: 1_000 } });
  assert.equal(inputs, 1_000);
});

test('an input that does not end is found', async () => {
  const hanging = worker('while (input === 7);');
  await assert.rejects(watch({ ...bounds, worker: hanging, data: { inputs: 10 } }), /input 7 takes longer/);
});

test('memory that is not given back is found', async () => {
  const growing = worker(
    'kept.push(new Uint8Array(16 * 1024 * 1024).fill(1)); if (input === 10) while (true);',
  );
  await assert.rejects(
    watch({ ...bounds, inputMsMax: 60_000, worker: growing, data: { inputs: 1e9 } }),
    /^Error: at input \d+ the process has grown by \d+ bytes$/,
  );
});

test('what it throws is passed on', async () => {
  const throwing = worker("if (input === 3) throw new Error('bad input 3');");
  await assert.rejects(watch({ ...bounds, worker: throwing, data: { inputs: 10 } }), /bad input 3/);
});

test('after its time a run ends', async () => {
  const slow = worker('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);');
  const { inputs } = await watch({ ...bounds, budgetMs: 1, worker: slow, data: { inputs: 1e9 } });
  assert.ok(inputs > 0);
});
