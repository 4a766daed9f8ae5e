/**
 * JSON lines as VictoriaMetrics exports them: `metric`, `values` and `timestamps` in this order, without blanks and escapes,
 * with numbers and `null` only. `../../protocol/json-lines.ts` reads all other lines.
 *
 *   settings: 0 lineBytesMax u32 | 4 values u32, a column | 8 valuesMax u32
 */
import { varintLength } from './bytes';
import * as decimal from './decimal';
import { Same } from './same';
import {
  beginLabels,
  beginSeries,
  close,
  endLabels,
  endSeries,
  hasRoom,
  knownEnd,
  labelBytes,
  lineEnd,
  NAN_BITS,
  noteLabel,
  open,
  putKnownLabels,
  putLabel,
  putSample,
  Quoted,
  SAMPLES_MAX,
  SERIES_HEAD_BYTES_MAX,
} from './text';

const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const CLOSE_ARRAY: u32 = 0x5d;
const CLOSE_OBJECT: u32 = 0x7d;
const NULL: u32 = 0x6c6c756e;
const LETTER_N: u32 = 0x6e;

// What stands between the parts of a line.
const METRIC = memory.data<u8>([0x7b, 0x22, 0x6d, 0x65, 0x74, 0x72, 0x69, 0x63, 0x22, 0x3a, 0x7b]);
const METRIC_BYTES: usize = 11; // `{"metric":{`
// biome-ignore format: a text
const VALUES = memory.data<u8>([0x2c, 0x22, 0x76, 0x61, 0x6c, 0x75, 0x65, 0x73, 0x22, 0x3a, 0x5b]);
const VALUES_BYTES: usize = 11; // `,"values":[`
// biome-ignore format: a text
const TIMESTAMPS = memory.data<u8>([
  0x2c, 0x22, 0x74, 0x69, 0x6d, 0x65, 0x73, 0x74, 0x61, 0x6d, 0x70, 0x73, 0x22, 0x3a, 0x5b,
]);
const TIMESTAMPS_BYTES: usize = 15; // `,"timestamps":[`

/** Above it the parser rounds. */
const EXACT_MAX: u64 = 1 << 53;
/** What a sample takes besides its timestamp. */
const SAMPLE_BYTES: usize = 12;

let values: usize = 0;
let valuesMax: u32 = 0;

function isText(p: usize, text: usize, length: usize): bool {
  return memory.compare(p, text, length) === 0;
}

// Where labels are written to, and what was read last.
let out: usize = 0;
let sampleCount: u32 = 0;

/** Writes one label; returns what follows it, or 0. */
function readLabel(start: usize): usize {
  if ((load<u8>(start) as u32) !== QUOTE) return 0;
  const name = start + 1;
  let p = Quoted.end(name);
  const nameLength = p - name;
  // A quote, a colon and a quote.
  if (nameLength === 0 || (load<u32>(p) & 0xffffff) !== 0x223a22) return 0;
  const text = p + 3;
  p = Quoted.end(text);
  if ((load<u8>(p) as u32) !== QUOTE) return 0;
  if (!hasRoom(out, labelBytes(nameLength, p - text))) return 0;
  const encoded = out;
  out = putLabel(out, name, nameLength, text, p - text);
  p++;
  noteLabel(start, p, encoded, out);
  return p;
}

/** Writes what stands between the braces of the metric; returns what follows the closing one, or 0. */
function readLabels(from: usize): usize {
  let p = from;
  let byte: u32 = COMMA;
  beginLabels(from, out);
  while (byte === COMMA) {
    const known = putKnownLabels(p, out);
    if (known !== 0) {
      out = knownEnd;
      p += known;
    } else {
      p = readLabel(p);
    }
    if (p === 0 || out === 0) return 0;
    byte = load<u8>(p) as u32;
    p++;
  }
  return byte === CLOSE_OBJECT ? p : 0;
}

/** Puts the bits of the values into their column; returns what follows the bracket, or 0. */
function readValues(from: usize): usize {
  let p = from;
  let count: u32 = 0;
  let byte: u32 = COMMA;
  while (byte === COMMA) {
    if (count === valuesMax) return 0;
    if ((load<u8>(p) as u32) === LETTER_N) {
      if (load<u32>(p) !== NULL) return 0;
      decimal.setValue(NAN_BITS);
      p += 4;
    } else {
      p = decimal.readNumber(p);
      if (p === 0) return 0;
    }
    store<u64>(values + ((count as usize) << 3), decimal.value);
    count++;
    byte = load<u8>(p) as u32;
    p++;
  }
  sampleCount = count;
  return byte === CLOSE_ARRAY ? p : 0;
}

/** The timestamps of the last line that had not too many: their text with what follows it, and what they are. */
const TIMES_MAX: u32 = 512;
const TIMES: usize = memory.data(512 * 8, 16);
let timesText: usize = 0;
let timesLength: usize = 0;
let timesCount: u32 = 0;

/** Writes the samples with the timestamps of the line before; returns what follows them, or 0. */
function repeatTimestamps(from: usize): usize {
  for (let index: u32 = 0; index < sampleCount; index++) {
    const timestamp = load<u64>(TIMES + ((index as usize) << 3));
    if (!hasRoom(out, SAMPLE_BYTES + varintLength(timestamp))) return 0;
    out = putSample(out, load<u64>(values + ((index as usize) << 3)), timestamp);
  }
  return from + timesLength;
}

/** Writes the samples, as many as there are values; returns what follows the bracket, or 0. */
function readTimestamps(from: usize): usize {
  // Lines that follow each other have the same ones, mostly.
  if (sampleCount === timesCount && Same.text(from, timesText, timesLength)) return repeatTimestamps(from);
  const isNoted = sampleCount <= TIMES_MAX;
  timesCount = 0;
  let p = from;
  for (let index: u32 = 0; index < sampleCount; index++) {
    p = decimal.readDigits(p);
    if (p === 0 || decimal.value > EXACT_MAX) return 0;
    if (!hasRoom(out, SAMPLE_BYTES + varintLength(decimal.value))) return 0;
    out = putSample(out, load<u64>(values + ((index as usize) << 3)), decimal.value);
    if (isNoted) store<u64>(TIMES + ((index as usize) << 3), decimal.value);
    const byte = load<u8>(p) as u32;
    p++;
    if (byte !== (index + 1 === sampleCount ? CLOSE_ARRAY : COMMA)) return 0;
  }
  if (isNoted) {
    timesText = from;
    timesLength = p - from;
    timesCount = sampleCount;
  }
  return p;
}

/** Reads a line and writes its series to `dst`; returns where the next one begins, 0 when it is left to the parser. */
function readLine(start: usize, dst: usize): usize {
  if (!isText(start, METRIC, METRIC_BYTES) || !hasRoom(dst, SERIES_HEAD_BYTES_MAX)) return 0;
  out = beginSeries(dst);
  let p = readLabels(start + METRIC_BYTES);
  if (p === 0 || !isText(p, VALUES, VALUES_BYTES)) return 0;
  p = readValues(p + VALUES_BYTES);
  if (p === 0 || !isText(p, TIMESTAMPS, TIMESTAMPS_BYTES)) return 0;
  p = readTimestamps(p + TIMESTAMPS_BYTES);
  if (p === 0 || (load<u8>(p) as u32) !== CLOSE_OBJECT) return 0;
  const next = lineEnd(start, p + 1);
  if (next === 0 || !hasRoom(out, SERIES_HEAD_BYTES_MAX)) return 0;
  endLabels();
  out = endSeries(dst, out);
  return next;
}

/** Scans lines from `src` to `end`, where a line end stands; returns where the first line begins that was not taken. */
export function scanJsonLines(settings: usize, src: usize, end: usize, dst: usize, dstEnd: usize): usize {
  open(dst, dstEnd, load<u32>(settings));
  timesCount = 0;
  values = load<u32>(settings, 4) as usize;
  valuesMax = load<u32>(settings, 8);
  let p = src;
  let written = dst;
  let series: u32 = 0;
  let samples: u32 = 0;
  let lines: u32 = 0;
  while (p < end && samples < SAMPLES_MAX) {
    let next = lineEnd(p, p);
    if (next === 0) {
      next = readLine(p, written);
      if (next === 0) break;
      written = out;
      series++;
      samples += sampleCount;
    }
    lines++;
    p = next;
  }
  close(dst, written, series, samples, lines, series, p < end);
  return p;
}
