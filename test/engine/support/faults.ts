/** Engines that fail: pipelines of the thread that calls these functions do, until what they return is called. */
import { Pipeline } from '../../../src/engine/pipeline.ts';

const MARKER = 'deadly';

type Fault = (...args: Parameters<typeof Pipeline.prototype.accept>) => void;

const faults = new Set<Fault>();
const { accept } = Pipeline.prototype;

Pipeline.prototype.accept = function faulty(...args) {
  for (const fault of faults) fault(...args);
  return accept.apply(this, args);
};

function add(fault: Fault): () => void {
  faults.add(fault);
  return () => faults.delete(fault);
}

/** Dies at the body with this number, before it is looked at, as often as `deathsLeft` says. */
export function dieAt(fatalBody: number, deathsLeft: Int32Array): () => void {
  return add((body) => {
    if (body.id === fatalBody && Atomics.sub(deathsLeft, 0, 1) > 0) throw new Error('died once');
  });
}

/** Dies whenever it looks at a body that holds the marker. */
export function dieOfMarker(): () => void {
  return add((_body, wire) => {
    if (Buffer.from(wire).includes(MARKER)) throw new Error('died of the marker');
  });
}
