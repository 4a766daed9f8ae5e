/** The lines of a body, without their ends (`\n` or `\r\n`); empty ones are left out. */
import type { TakeLines } from '../kernel/text-scanner.ts';
import type { Parameters } from '../model/body.ts';
import type { ParseFailure, Pieces } from './protocol.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LineLimit {
  readonly bytesMax: number;
  /** The option that sets it. */
  readonly option: string;
}

/** @returns why the body is refused at this line; undefined goes on. */
export type TakeLine = (start: number, end: number, line: number) => ParseFailure;

/** Lines are pieces by themselves. `notLast`: a line after which no piece ends, if that can be helped. */
export function linePieces(
  itemOption?: string,
  notLast: (firstByte: number) => boolean = () => false,
): Pieces {
  return {
    item: 'line',
    headBytes: 0,
    ...(itemOption !== undefined && { itemOption }),
    lastEnd(bytes, start, from) {
      const last = bytes.lastIndexOf(NEWLINE);
      if (last < from) return start;
      let end = last + 1;
      while (end > start) {
        const begin = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
        if (!notLast(bytes[begin]!)) return end;
        end = begin;
      }
      return last + 1;
    },
  };
}

/** What a parser has to know of the lines before its own. */
export const firstLineOf = ({ firstItem }: Parameters): number => Number(firstItem ?? 1);

export interface LineReading {
  /** The number of the first line. Absent: 1. */
  readonly first?: number;
  readonly limit?: LineLimit;
  /** Where the number of lines is noted, empty ones included. */
  readonly sink?: { items: number };
  /** Takes what it can from a line on; only what it leaves is read as lines. */
  readonly scan?: TakeLines | undefined;
}

/** Calls `take` for every line until one is refused. */
export function eachLine(
  bytes: Uint8Array,
  take: TakeLine,
  { first = 1, limit, sink, scan }: LineReading = {},
): ParseFailure {
  const bytesMax = limit?.bytesMax ?? Number.POSITIVE_INFINITY;
  let line = first - 1;
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
  if (sink !== undefined) sink.items = line - first + 1;
  return undefined;
}
