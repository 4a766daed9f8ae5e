/** The engine thread that dies of bodies with the marker. */
import { dieOfMarker } from './faults.ts';

dieOfMarker();
await import('../../../src/engine/worker.ts');
