/**
 * Regexes of rules: RE2 syntax, matched in time that grows with the text and no faster, whatever the regex is. re2js
 * does that; what needs no engine does not get there (`regex-shape.ts`).
 */
import { RE2JS } from 're2js';
import { Memo } from './cache.ts';
import { FindAll } from './find-all.ts';
import { type Shape, shapeOf, type Wild } from './regex-shape.ts';
import type { Groups } from './template.ts';

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
/** A character may cost as many steps as the program has instructions. */
const INSTRUCTIONS_MAX = 10_000;
/** Characters, classes and groups, each as often as it is repeated: what compiling costs before the program is known. */
const ATOMS_MAX = 20_000;

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
  return new FindAll(compile(isEverything ? '(.*)' : regex, 0));
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

function enginePattern(regex: string): Pattern {
  const compiled = compile(regex, RE2JS.DOTALL);
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
      const [isMatch, groups] = re2.matchWithGroup(text, 0, text.length, WHOLE, groupCount + 1);
      return isMatch ? (groups as number[]) : undefined;
    },
  };
}

function compile(regex: string, flags: number): RE2JS {
  const large = 'shorten it, or repeat less of it';
  const atoms = countAtoms(regex);
  if (atoms > ATOMS_MAX) {
    throw new RegexError(
      `it has ${atoms} parts when its repeats are written out, more than ${ATOMS_MAX}`,
      large,
    );
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(regex, flags);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new RegexError(
      message.replace('error parsing regexp: ', ''),
      'write it in RE2 syntax, which has no lookaround and no backreferences, and repeats at most 1000 times',
    );
  }
  const size = compiled.programSize();
  if (size > INSTRUCTIONS_MAX) {
    throw new RegexError(`it compiles to ${size} instructions, more than ${INSTRUCTIONS_MAX}`, large);
  }
  return compiled;
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
