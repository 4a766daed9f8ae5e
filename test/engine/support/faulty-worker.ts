/** The engine thread with a fault: it dies whenever it looks at a body that holds the marker. */
import { Pipeline } from '../../../src/engine/pipeline.ts';

const MARKER = 'deadly';

const { accept } = Pipeline.prototype;
Pipeline.prototype.accept = function faulty(body, wire, nowMs) {
  if (Buffer.from(wire).includes(MARKER)) throw new Error('died of the marker');
  return accept.call(this, body, wire, nowMs);
};

await import('../../../src/engine/worker.ts');
