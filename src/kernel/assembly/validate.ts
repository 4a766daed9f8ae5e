/**
 * One pass over a WriteRequest that checks everything and counts. Runs for every body, so what senders really write is
 * recognised by `fast.ts`; everything else goes through `wire.ts`.
 */
import { Fast, MARGIN } from './fast';
import { clearError, errorCode, fail, MIXED_SERIES, OK, RESULT, storeError } from './result';
import * as wire from './wire';

let seriesWithSamples: u32 = 0;
let seriesWithData: u32 = 0;

/** All fields of a series, counted; `fastEnd` is where the fast path has to stop. */
function passFields(start: usize, end: usize, fastEnd: usize): bool {
  const stop = min(end, fastEnd);
  let q = start;
  while (q < end) {
    let labels: u32 = 0;
    while (q < stop && Fast.isLabel(q)) {
      q = Fast.end(q);
      labels++;
    }
    let samples: u32 = 0;
    while (q < stop && Fast.isSample(q)) {
      q = Fast.end(q);
      samples++;
    }
    wire.addFast(labels, samples);
    if (q === end) return true;
    // When the last field reaches beyond the series, the exact path says which one and why.
    if (q > end) return wire.checkMessage(wire.SERIES, start, end);
    q = wire.checkField(wire.SERIES, q, end);
    if (q === 0) return false;
  }
  return true;
}

/** A series; its field begins at `at`. */
function passSeries(at: usize, start: usize, end: usize, fastEnd: usize): bool {
  const samples = wire.samples;
  const histograms = wire.histograms;
  const exemplars = wire.exemplars;
  if (!passFields(start, end, fastEnd)) return false;
  if (wire.samples !== samples) {
    if (wire.histograms !== histograms) return fail(MIXED_SERIES, at) !== 0;
    seriesWithSamples++;
    seriesWithData++;
  } else if (wire.histograms !== histograms || wire.exemplars !== exemplars) seriesWithData++;
  return true;
}

/**
 * Returns 1 when the message is well-formed. Result: code, position, then the counts of series, series with samples,
 * samples, histograms, exemplars, metadata, labels, series with any of samples, histograms and exemplars.
 */
export function validateWriteRequest(src: usize, n: usize): bool {
  clearError();
  wire.resetCounts();
  seriesWithSamples = 0;
  seriesWithData = 0;
  let series: u32 = 0;
  let metadata: u32 = 0;
  const end = src + n;
  const fastEnd = n > MARGIN ? end - MARGIN : src;
  let p = src;
  while (p < end) {
    const length = p < fastEnd ? Fast.seriesLength(p) : 0;
    let start = p + 3;
    let next = start + length;
    if (length === 0 || length > end - start) {
      start = wire.readTag(p, end);
      if (start === 0) break;
      if (wire.tag !== 0x0a) {
        p = wire.checkField(wire.REQUEST, p, end);
        if (p === 0) break;
        if (wire.tag === 0x1a) metadata++;
        continue;
      }
      next = wire.readLength(start, end);
      if (next === 0) break;
      start = wire.payload;
    }
    if (!passSeries(p, start, next, fastEnd)) break;
    series++;
    p = next;
  }
  storeError(src);
  store<u32>(RESULT, series, 8);
  store<u32>(RESULT, seriesWithSamples, 12);
  store<u32>(RESULT, wire.samples, 16);
  store<u32>(RESULT, wire.histograms, 20);
  store<u32>(RESULT, wire.exemplars, 24);
  store<u32>(RESULT, metadata, 28);
  store<u32>(RESULT, wire.labels, 32);
  store<u32>(RESULT, seriesWithData, 36);
  return errorCode === OK;
}
