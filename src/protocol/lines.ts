/** The lines of a body, without their ends (`\n` or `\r\n`); empty ones are left out. */
import type { TakeLines } from '../kernel/text-scanner.ts';
import type { ParseFailure } from './protocol.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LineLimit {
  readonly bytesMax: number;
  /** The option that sets it. */
  readonly option: string;
}

/** @returns why the body is refused at this line; undefined goes on. */
export type TakeLine = (start: number, end: number, line: number) => ParseFailure;

/**
 * Calls `take` for every line, numbered from 1, until one is refused.
 * @param scan takes what it can from a line on; only what it leaves comes to `take`.
 */
export function eachLine(
  bytes: Uint8Array,
  take: TakeLine,
  limit?: LineLimit,
  scan?: TakeLines,
): ParseFailure {
  const bytesMax = limit?.bytesMax ?? Number.POSITIVE_INFINITY;
  let line = 0;
  for (let start = 0; start < bytes.byteLength; ) {
    if (scan !== undefined) {
      const taken = scan(start);
      line += taken.lines;
      start = taken.next;
      if (start >= bytes.byteLength) break;
    }
    line++;
    const newline = bytes.indexOf(NEWLINE, start);
    const next = newline < 0 ? bytes.byteLength : newline;
    const end = next > start && bytes[next - 1] === RETURN ? next - 1 : next;
    if (end - start > bytesMax) {
      return `cannot read line ${line}: it has ${end - start} bytes; send shorter lines or raise -${limit?.option}`;
    }
    const failure = end > start ? take(start, end, line) : undefined;
    if (failure !== undefined) return failure;
    start = next + 1;
  }
  return undefined;
}
