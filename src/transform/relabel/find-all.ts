/**
 * All matches of a regex in a text, in time that grows with the text and no faster. Searching again from the end of
 * each match does not have that: where a match was found only after looking far ahead, as in `a.*b|a` without a b, every
 * search looks far ahead again. So the text is read twice. Backwards: from which instructions of the program can a match
 * still be reached at each place? Then forwards: the first way, in the order of a backtracking search, that leads to such
 * an instruction is the way that wins, so nothing is ever tried in vain. The program is re2js's.
 *
 * What the first reading found is kept at every BLOCK-th place only, and a block is read again when the second one enters
 * it: memory grows with the text divided by BLOCK.
 */
import type { RE2JS } from 're2js';
import { limited } from './action.ts';
import type { Groups } from './template.ts';

/** The instructions of re2js. Each goes on at `out`; the two kinds of ALT first at `out`, then at `arg`. */
const ALT = 1;
const ALT_MATCH = 2;
const CAPTURE = 3;
const EMPTY_WIDTH = 4;
const MATCH = 6;
const NOP = 7;
const RUNE = 8;
const RUNE_ANY = 10;
const RUNE_ANY_NOT_NL = 11;

interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  matchRune(rune: number): boolean;
}

/** What EMPTY_WIDTH asks for, as bits. */
const BEGIN_LINE = 1;
const END_LINE = 2;
const BEGIN_TEXT = 4;
const END_TEXT = 8;
const WORD_BOUNDARY = 16;
const NO_WORD_BOUNDARY = 32;

const LINE_FEED = 10;
const BLOCK = 512;

export class FindAll {
  readonly names: ReadonlyMap<string, number>;
  readonly groupCount: number;
  readonly #regex: RE2JS;
  readonly #program: readonly Instruction[];
  readonly #start: number;
  readonly #runes: readonly number[];
  readonly #match: readonly number[];
  /** To each instruction those that go on with it without reading a character. */
  readonly #before: readonly (readonly number[])[];

  constructor(regex: RE2JS) {
    this.#regex = regex;
    this.names = new Map(Object.entries(regex.namedGroups()));
    this.groupCount = regex.groupCount();
    const { inst, start } = regex.re2().prog as { inst: Instruction[]; start: number };
    this.#program = inst;
    this.#start = start;
    const indexes = [...inst.keys()];
    this.#runes = indexes.filter((index) => isRune(inst[index]!));
    this.#match = indexes.filter((index) => inst[index]!.op === MATCH);
    const before: number[][] = inst.map(() => []);
    for (const [index, instruction] of inst.entries()) {
      for (const next of followers(instruction)) before[next]!.push(index);
    }
    this.#before = before;
  }

  /** Whether it matches anywhere. */
  test(text: string): boolean {
    return this.#regex.test(text);
  }

  /** The text with what `replacement` makes of each match in its place. An empty match right after another is none. */
  replace(text: string, replacement: (groups: Groups) => string): string {
    if (!this.test(text)) return text;
    const reach = new Reach(text, this.#program, this.#runes, this.#match, this.#before);
    let replaced = '';
    let copied = 0;
    let searched = 0;
    while (searched <= text.length) {
      const groups = this.#find(text, searched, reach);
      if (groups === undefined) break;
      const [start, end] = groups as [number, number];
      replaced = limited(replaced + text.slice(copied, start));
      if (end > copied || start === 0) replaced = limited(replaced + replacement(groups));
      copied = end;
      searched = end > searched ? end : searched + widthAt(text, searched);
    }
    return limited(replaced + text.slice(copied));
  }

  #find(text: string, from: number, reach: Reach): Groups | undefined {
    for (let at = from; at <= text.length; at += widthAt(text, at)) {
      if (reach.at(at)[this.#start] === 1) return this.#follow(text, at, reach);
    }
    return undefined;
  }

  /** The way of the match that begins here, which is known to be one. */
  #follow(text: string, start: number, reach: Reach): Groups {
    const groups = new Array<number>(2 * this.groupCount + 2).fill(-1);
    groups[0] = start;
    let index = this.#start;
    for (let at = start; ; at += widthAt(text, at)) {
      index = this.#advance(index, at, reach.at(at), emptyWidths(text, at), groups);
      if (this.#program[index]!.op === MATCH) {
        groups[1] = at;
        return groups;
      }
      index = this.#program[index]!.out;
    }
  }

  /** The first instruction that reads a character, or MATCH, from which a match can be reached; sets groups on the way. */
  #advance(from: number, at: number, reachable: Uint8Array, widths: number, groups: number[]): number {
    const seen = new Set<number>();
    // Instructions to try, and, as negative numbers, groups to set back when the way there led nowhere.
    const stack: { index: number; slot: number; old: number }[] = [{ index: from, slot: -1, old: -1 }];
    for (;;) {
      const { index, slot, old } = stack.pop()!;
      if (slot >= 0) {
        groups[slot] = old;
        continue;
      }
      if (reachable[index] === 0 || seen.has(index)) continue;
      seen.add(index);
      const { op, out, arg } = this.#program[index]!;
      if (op === MATCH || op >= RUNE) return index;
      if (op === EMPTY_WIDTH && (arg & ~widths) !== 0) continue;
      if (op === ALT || op === ALT_MATCH) stack.push({ index: arg, slot: -1, old: -1 });
      if (op === CAPTURE && arg >= 2) {
        stack.push({ index: -1, slot: arg, old: groups[arg]! });
        groups[arg] = at;
      }
      stack.push({ index: out, slot: -1, old: -1 });
    }
  }
}

/** From which instructions a match can be reached, for each place of one text; asked for from the front to the back. */
class Reach {
  readonly #text: string;
  readonly #program: readonly Instruction[];
  readonly #runes: readonly number[];
  readonly #match: readonly number[];
  readonly #before: readonly (readonly number[])[];
  /** At the first place of each block. */
  readonly #marks: Uint8Array[] = [];
  #block = -1;
  #places: Uint8Array[] = [];

  constructor(
    text: string,
    program: readonly Instruction[],
    runes: readonly number[],
    match: readonly number[],
    before: readonly (readonly number[])[],
  ) {
    this.#text = text;
    this.#program = program;
    this.#runes = runes;
    this.#match = match;
    this.#before = before;
    let after: Uint8Array | undefined;
    for (let block = Math.floor(text.length / BLOCK); block >= 0; block--) {
      after = this.#read(block, after)[0]!;
      this.#marks[block] = after;
    }
  }

  /** One byte an instruction: 1 when a match can be reached from it. */
  at(place: number): Uint8Array {
    const block = Math.floor(place / BLOCK);
    if (block !== this.#block) {
      this.#places = this.#read(block, this.#marks[block + 1]);
      this.#block = block;
    }
    return this.#places[place % BLOCK]!;
  }

  /** Reads a block backwards; `after` is what holds at the place behind it. */
  #read(block: number, after: Uint8Array | undefined): Uint8Array[] {
    const first = block * BLOCK;
    const places: Uint8Array[] = [];
    let next = after;
    for (let place = Math.min(this.#text.length, first + BLOCK - 1); place >= first; place--) {
      // The second half of a pair is no place of its own; what holds behind it is passed on to the first half.
      if (!isInsidePair(this.#text, place)) next = this.#reachable(place, next);
      places[place - first] = next!;
    }
    return places;
  }

  #reachable(place: number, next: Uint8Array | undefined): Uint8Array {
    const reachable = new Uint8Array(this.#program.length);
    const found = [...this.#match];
    for (const index of found) reachable[index] = 1;
    const rune = this.#text.codePointAt(place);
    if (rune !== undefined && next !== undefined) {
      for (const index of this.#runes) {
        const instruction = this.#program[index]!;
        if (next[instruction.out] === 1 && reads(instruction, rune)) {
          reachable[index] = 1;
          found.push(index);
        }
      }
    }
    const widths = emptyWidths(this.#text, place);
    for (let index = found.pop(); index !== undefined; index = found.pop()) {
      for (const before of this.#before[index]!) {
        const { op, arg } = this.#program[before]!;
        if (reachable[before] === 1 || (op === EMPTY_WIDTH && (arg & ~widths) !== 0)) continue;
        reachable[before] = 1;
        found.push(before);
      }
    }
    return reachable;
  }
}

function isRune({ op }: Instruction): boolean {
  return op >= RUNE && op <= RUNE_ANY_NOT_NL;
}

function followers({ op, out, arg }: Instruction): number[] {
  if (op === ALT || op === ALT_MATCH) return [out, arg];
  return op === CAPTURE || op === EMPTY_WIDTH || op === NOP ? [out] : [];
}

function reads(instruction: Instruction, rune: number): boolean {
  if (instruction.op === RUNE_ANY) return true;
  if (instruction.op === RUNE_ANY_NOT_NL) return rune !== LINE_FEED;
  return instruction.matchRune(rune);
}

function isInsidePair(text: string, place: number): boolean {
  return place > 0 && place < text.length && text.codePointAt(place - 1)! > 0xffff;
}

/** Of the character here, in UTF-16 units; 1 at the end. */
function widthAt(text: string, place: number): number {
  return (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
}

/** What holds between two characters. */
function emptyWidths(text: string, place: number): number {
  const before = place === 0 ? -1 : text.charCodeAt(place - 1);
  const after = place === text.length ? -1 : text.charCodeAt(place);
  let widths = isWord(before) === isWord(after) ? NO_WORD_BOUNDARY : WORD_BOUNDARY;
  if (before < 0) widths |= BEGIN_TEXT | BEGIN_LINE;
  if (after < 0) widths |= END_TEXT | END_LINE;
  if (before === LINE_FEED) widths |= BEGIN_LINE;
  if (after === LINE_FEED) widths |= END_LINE;
  return widths;
}

function isWord(unit: number): boolean {
  return (
    (unit >= 48 && unit <= 57) || (unit >= 65 && unit <= 90) || unit === 95 || (unit >= 97 && unit <= 122)
  );
}
