/** The engine thread that dies once: at the body whose id is in the environment, before it is looked at. */
import { getEnvironmentData } from 'node:worker_threads';
import { Pipeline } from '../../../src/engine/pipeline.ts';

const deaths = new Int32Array(getEnvironmentData('deaths-left') as SharedArrayBuffer);
const fatal = getEnvironmentData('fatal-body') as number;

const { accept } = Pipeline.prototype;
Pipeline.prototype.accept = function dying(body, wire, nowMs) {
  if (body.id === fatal && Atomics.sub(deaths, 0, 1) > 0) throw new Error('died once');
  return accept.call(this, body, wire, nowMs);
};

await import('../../../src/engine/worker.ts');
