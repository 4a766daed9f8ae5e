/** The entry of the engine thread. A failure ends the thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../util/assert.ts';
import { systemClock } from '../util/clock.ts';
import { tidyHeap } from '../util/tidy-heap.ts';
import { Engine } from './engine.ts';
import type { EngineStart, ToEngine } from './messages.ts';

assert(parentPort !== null, 'the engine runs in a worker thread');
const port = parentPort;
tidyHeap(systemClock);
const engine = new Engine({
  ...(workerData as EngineStart),
  clock: systemClock,
  answer: (message, buffers) => port.postMessage(message, buffers),
});
port.on('message', (message: ToEngine) => engine.take(message));
