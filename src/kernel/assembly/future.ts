/** Samples that lie too far in the future. */
import { ROW_BYTES, ROW_SAMPLE_COUNT, ROW_SAMPLE_START } from './row';

/** Takes samples later than `maxMs` out of their rows when `drop` is set; returns how many there are. */
export function futureSamples(
  rows: usize,
  count: usize,
  timestamps: usize,
  values: usize,
  maxMs: i64,
  drop: bool,
): u32 {
  let found: u32 = 0;
  for (let i: usize = 0; i < count; i++) {
    const row = rows + i * ROW_BYTES;
    const start = (load<u32>(row, ROW_SAMPLE_START) as usize) << 3;
    const end = start + ((load<u32>(row, ROW_SAMPLE_COUNT) as usize) << 3);
    let to = start;
    for (let at = start; at < end; at += 8) {
      if (load<i64>(timestamps + at) > maxMs) {
        found++;
        if (drop) continue;
      }
      if (to !== at) {
        store<u64>(timestamps + to, load<u64>(timestamps + at));
        store<u64>(values + to, load<u64>(values + at));
      }
      to += 8;
    }
    store<u32>(row, ((to - start) >> 3) as u32, ROW_SAMPLE_COUNT);
  }
  return found;
}
