/** The engine thread that dies once: at the body whose number is in the environment. */
import { getEnvironmentData } from 'node:worker_threads';
import { dieAt } from './faults.ts';

const deathsLeft = new Int32Array(getEnvironmentData('deaths-left') as SharedArrayBuffer);
dieAt(getEnvironmentData('fatal-body') as number, deathsLeft);
await import('../../../src/engine/worker.ts');
