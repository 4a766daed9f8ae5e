/**
 * Regexes of rules: RE2 syntax, matched in time that grows with the text and no faster, whatever the regex is. re2js
 * does that; what needs no engine does not get there (`regex-shape.ts`).
 */
import type { RE2JS } from 're2js';
import { messageOf } from '../../util/error.ts';
import { lazyModule } from '../../util/lazy-module.ts';
import { Memo } from './cache.ts';
import { FindAll } from './find-all.ts';
import { type Shape, shapeOf, type Wild } from './regex-shape.ts';
import type { Groups } from './template.ts';

const re2js = lazyModule<typeof import('re2js')>('re2js');

/** A regex as it is asked whether it matches a whole text. */
export interface Pattern {
  readonly names: ReadonlyMap<string, number>;
  readonly groupCount: number;
  /** Answers cost less than looking them up. */
  readonly isCheap: boolean;
  /** Everything matches, and group 1 is everything. */
  readonly isDefault: boolean;
  matches(text: string): boolean;
  /** Undefined when it does not match. */
  groups(text: string): Groups | undefined;
}

/** A regex that cannot be used; the message has no regex in it and is followed by the hint. */
export class RegexError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** `ANCHOR_BOTH` of re2js. */
const WHOLE = 2;
/** A character may cost as many steps as the program has instructions; alternatives that people list have thousands. */
const WHOLE_INSTRUCTIONS_MAX = 100_000;
/** To find all matches the program is read backwards too, which looks at most of its instructions at every character. */
const SEARCH_INSTRUCTIONS_MAX = 5_000;
/** Characters and classes, each as often as it is repeated, where repeats make more of them than were written. */
const REPEATED_MAX = 20_000;

const noNames: ReadonlyMap<string, number> = new Map();

/** Matches whole texts; `.` is every character. Throws a RegexError. */
export function compilePattern(regex: string | undefined): Pattern {
  if (regex === undefined) return defaultPattern;
  const bare = withoutAnchors(regex);
  if (isDefault(bare)) return defaultPattern;
  const shape = shapeOf(bare);
  return shape === undefined ? enginePattern(bare) : shapePattern(shape);
}

/** Finds all matches anywhere in a text; `.` is every character but a line feed. Throws a RegexError. */
export function compileSearch(regex: string | undefined): FindAll {
  const isEverything = regex === undefined || isDefault(withoutAnchors(regex));
  return new FindAll(compile(isEverything ? '(.*)' : regex, 0, SEARCH_INSTRUCTIONS_MAX));
}

function isDefault(bare: string): boolean {
  return bare === '.*' || bare === '(.*)';
}

/** Anchored they are anyway; `\$` is a dollar sign. */
function withoutAnchors(regex: string): string {
  let from = 0;
  let to = regex.length;
  while (from < to && regex[from] === '^') from++;
  while (to > from && regex[to - 1] === '$' && regex[to - 2] !== '\\') to--;
  return regex.slice(from, to);
}

const defaultPattern: Pattern = {
  names: noNames,
  groupCount: 1,
  isCheap: true,
  isDefault: true,
  matches: () => true,
  groups: (text) => [0, text.length, 0, text.length],
};

function shapePattern(shape: Shape): Pattern {
  const base = { names: noNames, isCheap: true, isDefault: false };
  if (shape.kind === 'texts') {
    const { texts, groupCount } = shape;
    const [only] = texts.keys();
    const matches = texts.size === 1 ? (text: string) => text === only : (text: string) => texts.has(text);
    return { ...base, groupCount, matches, groups: (text) => texts.get(text) };
  }
  if (shape.kind === 'any') return { ...base, ...any(shape) };
  return { ...base, ...(shape.kind === 'affix' ? affix(shape) : contains(shape)) };
}

type Matching = Pick<Pattern, 'groupCount' | 'matches' | 'groups'>;

function affix({ prefix, wild, suffix }: Shape & { kind: 'affix' }): Matching {
  const lengthMin = prefix.length + wild.min + suffix.length;
  const matches = (text: string) =>
    text.length >= lengthMin &&
    (prefix === '' || text.startsWith(prefix)) &&
    (suffix === '' || text.endsWith(suffix));
  return {
    groupCount: Number(wild.isCaptured),
    matches,
    groups: (text) => {
      if (!matches(text)) return undefined;
      if (!wild.isCaptured) return [0, text.length];
      return [0, text.length, prefix.length, text.length - suffix.length];
    },
  };
}

function contains({ before, text: part, after }: Shape & { kind: 'contains' }): Matching {
  const captured = (wild: Wild, from: number, to: number) => (wild.isCaptured ? [from, to] : []);
  return {
    groupCount: Number(before.isCaptured) + Number(after.isCaptured),
    matches: (text) => {
      const at = text.indexOf(part, before.min);
      return at >= 0 && at + part.length + after.min <= text.length;
    },
    groups: (text) => {
      // The first of the two takes as much as it can.
      const last = text.length - part.length - after.min;
      const at = last < 0 ? -1 : text.lastIndexOf(part, last);
      if (at < before.min) return undefined;
      const end = at + part.length;
      return [0, text.length, ...captured(before, 0, at), ...captured(after, end, text.length)];
    },
  };
}

function any({ shapes }: Shape & { kind: 'any' }): Matching {
  const patterns = shapes.map(shapePattern);
  const matches = (text: string) => {
    for (const pattern of patterns) if (pattern.matches(text)) return true;
    return false;
  };
  return { groupCount: 0, matches, groups: (text) => (matches(text) ? [0, text.length] : undefined) };
}

/** Where groups are looked for in a longer text, it is first asked whether there are any, which is faster by far. */
const ASKED_FIRST_LENGTH = 1_024;

function enginePattern(regex: string): Pattern {
  const compiled = compile(regex, re2js().RE2JS.DOTALL, WHOLE_INSTRUCTIONS_MAX);
  const re2 = compiled.re2();
  const prefix = String(re2.prefix ?? '');
  const groupCount = compiled.groupCount();
  const known = new Memo<boolean>((text) => compiled.testExact(text));
  return {
    names: new Map(Object.entries(compiled.namedGroups())),
    groupCount,
    isCheap: false,
    isDefault: false,
    matches: (text) => text.startsWith(prefix) && known.get(text),
    groups: (text) => {
      if (!text.startsWith(prefix)) return undefined;
      if (text.length > ASKED_FIRST_LENGTH && !compiled.testExact(text)) return undefined;
      const [isMatch, groups] = re2.matchWithGroup(text, 0, text.length, WHOLE, groupCount + 1);
      return isMatch ? (groups as number[]) : undefined;
    },
  };
}

function compile(regex: string, flags: number, instructionsMax: number): RE2JS {
  const large = 'shorten it, or repeat less of it';
  const atoms = countAtoms(regex);
  if (atoms > REPEATED_MAX && atoms > regex.length) {
    throw new RegexError(
      `it has ${atoms} parts when its repeats are written out, more than ${REPEATED_MAX}`,
      large,
    );
  }
  let compiled: RE2JS;
  try {
    compiled = re2js().RE2JS.compile(regex, flags);
  } catch (error) {
    const hint = 'write it in RE2 syntax: no lookaround, no backreferences, at most 1000 repeats';
    throw new RegexError(causeOf(error, regex), hint);
  }
  const size = compiled.programSize();
  if (size > instructionsMax) {
    throw new RegexError(`it compiles to ${size} instructions, more than ${instructionsMax}`, large);
  }
  boundStates(compiled, size);
  return compiled;
}

/**
 * What re2js keeps of the states it has seen: 8 MiB a regex by itself, which values of clients could fill for each of
 * hundreds of rules. Large programs have large states.
 */
function boundStates(compiled: RE2JS, size: number): void {
  const { dfa } = compiled.re2();
  const bytes = Math.min(8 * MIB, Math.max(MIB, 1_024 * size));
  dfa.stateBudget = bytes;
  dfa.memBudget = bytes;
}

const MIB = 1024 * 1024;

/** What re2js says, with the part of the regex that it blames unless that is all of it. */
function causeOf(error: unknown, regex: string): string {
  if (!(error instanceof re2js().RE2JSSyntaxException)) return messageOf(error);
  const part = error.getPattern()?.replace('(?s)', '') ?? '';
  return part === '' || part === regex
    ? error.getDescription()
    : `${error.getDescription()} in ${part.slice(0, 80)}`;
}

/** About how large the regex is with its counted repeats written out. Stops counting far above the limit. */
export function countAtoms(regex: string): number {
  const sums = [0];
  let last = 0;
  for (let at = 0; at < regex.length; at++) {
    const repeat = regex[at] === '{' ? /^\{(\d+)(?:,(\d*))?\}/.exec(regex.slice(at, at + 16)) : null;
    if (repeat !== null) {
      const times = Math.max(Number(repeat[1]), Number(repeat[2] ?? 0), 1);
      sums.push(sums.pop()! + last * (times - 1));
      last *= times;
      at += repeat[0].length - 1;
    } else if (regex[at] === '(') {
      sums.push(0);
    } else if (regex[at] === ')' && sums.length > 1) {
      last = sums.pop()! + 1;
      sums.push(sums.pop()! + last);
    } else if (!'*+?|'.includes(regex[at]!)) {
      if (regex[at] === '\\') at++;
      else if (regex[at] === '[') at = endOfClass(regex, at);
      last = 1;
      sums.push(sums.pop()! + 1);
    }
    if (sums.at(-1)! > 1e12) return sums.at(-1)!;
  }
  return sums.reduce((sum, part) => sum + part, 0);
}

function endOfClass(regex: string, from: number): number {
  let at = from + 1;
  if (regex[at] === '^') at++;
  if (regex[at] === ']') at++;
  for (; at < regex.length && regex[at] !== ']'; at++) {
    if (regex[at] === '\\') at++;
    else if (regex[at] === '[' && regex[at + 1] === ':') {
      const end = regex.indexOf(':]', at + 2);
      if (end > 0) at = end + 1;
    }
  }
  return at;
}
