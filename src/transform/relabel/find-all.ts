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
import { TEXT_LENGTH_MAX, TooLarge } from './action.ts';
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

const GROUP = -1;
const LINE_FEED = 10;
const BLOCK = 512;
/** What may be kept of a program read backwards. Most need a few arrays; for one that needs more it is made anew. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;
const STEPS_MAX = 10_000;

export class FindAll {
  readonly names: ReadonlyMap<string, number>;
  readonly groupCount: number;
  readonly #regex: RE2JS;
  readonly #program: readonly Instruction[];
  readonly #start: number;
  readonly #backwards: Backwards;
  /** By instruction, the last look ahead that came by. */
  readonly #seen: Float64Array;
  #stamp = 0;
  readonly #stack: number[] = [];

  constructor(regex: RE2JS) {
    this.#regex = regex;
    this.names = new Map(Object.entries(regex.namedGroups()));
    this.groupCount = regex.groupCount();
    const { inst, start } = regex.re2().prog as { inst: Instruction[]; start: number };
    this.#program = inst;
    this.#start = start;
    this.#backwards = new Backwards(inst);
    this.#seen = new Float64Array(inst.length);
  }

  /** Whether it matches anywhere. */
  test(text: string): boolean {
    return this.#regex.test(text);
  }

  /** The text with what `replacement` makes of each match in its place. An empty match right after another is none. */
  replace(text: string, replacement: (groups: Groups) => string): string {
    if (!this.test(text)) return text;
    const reach = new Reach(text, this.#backwards);
    // Joined at the end: a text that grew piece by piece would be kept as a tree of its pieces.
    const pieces: string[] = [];
    let length = 0;
    const add = (piece: string) => {
      length += piece.length;
      if (length > TEXT_LENGTH_MAX) throw new TooLarge('a label became too long');
      pieces.push(piece);
    };
    let copied = 0;
    let searched = 0;
    while (searched <= text.length) {
      const groups = this.#find(text, searched, reach);
      if (groups === undefined) break;
      const [start, end] = groups as [number, number];
      add(text.slice(copied, start));
      if (end > copied || start === 0) add(replacement(groups));
      copied = end;
      searched = end > searched ? end : searched + widthAt(text, searched);
    }
    add(text.slice(copied));
    return pieces.join('');
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
  #advance(from: number, at: number, reachable: Reachable, widths: number, groups: number[]): number {
    const seen = this.#seen;
    const stamp = ++this.#stamp;
    // Instructions to try; and GROUP on top of a group and its old value, for when the way there led nowhere.
    const stack = this.#stack;
    let top = 0;
    stack[top++] = from;
    for (;;) {
      const index = stack[--top]!;
      if (index === GROUP) {
        const slot = stack[--top]!;
        groups[slot] = stack[--top]!;
        continue;
      }
      if (reachable[index] === 0 || seen[index] === stamp) continue;
      seen[index] = stamp;
      const { op, out, arg } = this.#program[index]!;
      if (op === MATCH || op >= RUNE) return index;
      if (op === EMPTY_WIDTH && (arg & ~widths) !== 0) continue;
      if (op === ALT || op === ALT_MATCH) stack[top++] = arg;
      if (op === CAPTURE && arg >= 2) {
        stack[top++] = groups[arg]!;
        stack[top++] = arg;
        stack[top++] = GROUP;
        groups[arg] = at;
      }
      stack[top++] = out;
    }
  }
}

/** From which instructions a match can be reached: one byte an instruction, 1 when it can. Never changed once made. */
type Reachable = Uint8Array;

/** Reads a program backwards, one character at a time. Steps that were made once are kept, within bounds. */
class Backwards {
  readonly #program: readonly Instruction[];
  readonly #runes: readonly number[];
  readonly #match: readonly number[];
  /** To each instruction those that go on with it without reading a character. */
  readonly #before: readonly (readonly number[])[];
  /** Equal ones are one object. */
  #made = new Map<string, Reachable>();
  #steps = new Map<Reachable | undefined, Map<number, Reachable>>();
  #stepCount = 0;

  constructor(program: readonly Instruction[]) {
    this.#program = program;
    const indexes = [...program.keys()];
    this.#runes = indexes.filter((index) => isRune(program[index]!));
    this.#match = indexes.filter((index) => program[index]!.op === MATCH);
    const before: number[][] = program.map(() => []);
    for (const [index, instruction] of program.entries()) {
      for (const next of followers(instruction)) before[next]!.push(index);
    }
    this.#before = before;
  }

  /** Before `rune`, where `widths` hold, if it is `next` behind it; both are undefined at the end of the text. */
  step(next: Reachable | undefined, rune: number | undefined, widths: number): Reachable {
    const key = (rune ?? 0) * 64 + widths;
    const known = this.#steps.get(next)?.get(key);
    if (known !== undefined) return known;
    const keptBytes = this.#made.size * this.#program.length;
    if (this.#stepCount >= STEPS_MAX || keptBytes >= KEPT_BYTES_MAX) {
      this.#made = new Map();
      this.#steps = new Map();
      this.#stepCount = 0;
    }
    const reachable = this.#one(this.#compute(next, rune, widths));
    const steps = this.#steps.get(next) ?? new Map<number, Reachable>();
    steps.set(key, reachable);
    this.#steps.set(next, steps);
    this.#stepCount++;
    return reachable;
  }

  #one(reachable: Reachable): Reachable {
    const key = Buffer.from(reachable.buffer).toString('latin1');
    const made = this.#made.get(key);
    if (made === undefined) this.#made.set(key, reachable);
    return made ?? reachable;
  }

  #compute(next: Reachable | undefined, rune: number | undefined, widths: number): Reachable {
    const reachable = new Uint8Array(this.#program.length);
    const found = [...this.#match];
    for (const index of found) reachable[index] = 1;
    if (rune !== undefined && next !== undefined) {
      for (const index of this.#runes) {
        const instruction = this.#program[index]!;
        if (next[instruction.out] === 1 && reads(instruction, rune)) {
          reachable[index] = 1;
          found.push(index);
        }
      }
    }
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

/** What is reachable at each place of one text; asked for from the front to the back. */
class Reach {
  readonly #text: string;
  readonly #backwards: Backwards;
  /** At the first place of each block. */
  readonly #marks: Reachable[] = [];
  #block = -1;
  #places: Reachable[] = [];

  constructor(text: string, backwards: Backwards) {
    this.#text = text;
    this.#backwards = backwards;
    let after: Reachable | undefined;
    for (let block = Math.floor(text.length / BLOCK); block >= 0; block--) {
      after = this.#read(block, after)[0]!;
      this.#marks[block] = after;
    }
  }

  at(place: number): Reachable {
    const block = Math.floor(place / BLOCK);
    if (block !== this.#block) {
      this.#places = this.#read(block, this.#marks[block + 1]);
      this.#block = block;
    }
    return this.#places[place % BLOCK]!;
  }

  /** Reads a block backwards; `after` is what holds at the place behind it. */
  #read(block: number, after: Reachable | undefined): Reachable[] {
    const first = block * BLOCK;
    const places: Reachable[] = [];
    let next = after;
    for (let place = Math.min(this.#text.length, first + BLOCK - 1); place >= first; place--) {
      // The second half of a pair is no place of its own; what holds behind it is passed on to the first half.
      if (!isInsidePair(this.#text, place)) {
        next = this.#backwards.step(next, this.#text.codePointAt(place), emptyWidths(this.#text, place));
      }
      places[place - first] = next!;
    }
    return places;
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
