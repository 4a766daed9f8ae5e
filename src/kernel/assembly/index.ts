/**
 * The byte kernels, compiled to WebAssembly. Pure functions over linear memory, without policy and without allocation:
 * every region is handed in by the TypeScript face (`../kernel.ts`), which also documents the functions.
 *
 * Rules of this folder: no decorators (they are not TypeScript), no classes, no heap. A function that is given `ptr` and
 * `length` reads nothing outside, and one that is given `dst` and `capacity` writes nothing outside. The memory ends
 * with a page that is never handed out, so that `pointer + small constant` cannot wrap around.
 */

export { condenseSeries, condenseSymbols, symbolsLength } from './condense';
export { describeMetric, describeTenant, internLabels } from './condense-symbols';
export { powersPtr } from './decimal';
export { writeElements } from './elements';
export { encodeSeries } from './encode-series';
export { expandRequest } from './expand';
export { futureSamples } from './future';
export { scanInflux } from './influx';
export { scanJsonLines } from './json-lines';
export { planByOutline, rememberOutline } from './outline';
export { describeLabels, gatherPlans, judgePlans } from './plan';
export { scanPrometheusText } from './prometheus-text';
export { resultPtr } from './result';
export { scanWriteRequest } from './scan';
export { decode as snappyDecode, decodedLength as snappyDecodedLength } from './snappy-decode';
export { encode as snappyEncode } from './snappy-encode';
export { codeSize, stencilSeries } from './stencil';
export { countKnown, noteSeries, placeSeries, selectSeries } from './stencil-list';
export { internSeries, moveTable, removeAdded, sweepTable } from './table';
export { beginText, openText } from './text';
export { validateWriteRequest } from './validate';
export { slotSeries, xxh64 } from './xxh64';

/** Where the static data ends and the regions of the face may begin. */
export function heapBase(): usize {
  return __heap_base;
}
