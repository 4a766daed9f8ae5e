/**
 * Regexes that need no engine. Most of those that people write are literals, a choice of literals, or literals around
 * one `.*`; they are recognized in the text, and everything else goes to the engine. All are anchored at both ends.
 */
import type { Groups } from './template.ts';

export interface Wild {
  /** 0 for `.*`, 1 for `.+`. */
  readonly min: number;
  readonly isCaptured: boolean;
}

export type Shape =
  /** One of these texts; to each the groups of its match. */
  | { readonly kind: 'texts'; readonly texts: ReadonlyMap<string, Groups>; readonly groupCount: number }
  /** `prefix.*suffix`. */
  | { readonly kind: 'affix'; readonly prefix: string; readonly wild: Wild; readonly suffix: string }
  /** `.*text.*`. */
  | { readonly kind: 'contains'; readonly before: Wild; readonly text: string; readonly after: Wild };

/** One after another: a text, some characters, or one of some texts. */
type Part = string | Wild | { readonly texts: readonly string[]; readonly isCaptured: boolean };

/** `(a|b)(c|d)` is written out as four texts, up to this many. */
const PRODUCT_MAX = 10_000;

export function shapeOf(regex: string): Shape | undefined {
  const parts = partsOf(regex);
  if (parts === undefined) return undefined;
  const [first, second, third] = parts;
  if (!parts.some(isWild)) return textsShape(parts);
  if (parts.length === 1 && isWild(first)) return { kind: 'affix', prefix: '', wild: first, suffix: '' };
  if (parts.length === 2 && typeof first === 'string' && isWild(second)) {
    return { kind: 'affix', prefix: first, wild: second, suffix: '' };
  }
  if (parts.length === 2 && isWild(first) && typeof second === 'string') {
    return { kind: 'affix', prefix: '', wild: first, suffix: second };
  }
  if (parts.length !== 3) return undefined;
  if (typeof first === 'string' && isWild(second) && typeof third === 'string') {
    return { kind: 'affix', prefix: first, wild: second, suffix: third };
  }
  if (isWild(first) && typeof second === 'string' && isWild(third)) {
    return { kind: 'contains', before: first, text: second, after: third };
  }
  return undefined;
}

function isWild(part: Part | undefined): part is Wild {
  return typeof part === 'object' && 'min' in part;
}

function textsShape(parts: readonly Part[]): Shape | undefined {
  let found: { text: string; groups: number[] }[] = [{ text: '', groups: [] }];
  let groupCount = 0;
  for (const part of parts as readonly Exclude<Part, Wild>[]) {
    const { texts, isCaptured } = typeof part === 'string' ? { texts: [part], isCaptured: false } : part;
    if (parts.length > 1 && found.length * texts.length > PRODUCT_MAX) return undefined;
    if (isCaptured) groupCount++;
    found = found.flatMap(({ text, groups }) =>
      texts.map((more) => ({
        text: text + more,
        groups: isCaptured ? [...groups, text.length, text.length + more.length] : groups,
      })),
    );
  }
  const texts = new Map<string, Groups>();
  for (const { text, groups } of found) {
    // The first way to match is the one that counts.
    if (!texts.has(text)) texts.set(text, [0, text.length, ...groups]);
  }
  return { kind: 'texts', texts, groupCount };
}

function partsOf(regex: string): Part[] | undefined {
  const choice = readChoice(regex, 0);
  if (choice !== undefined && choice.end === regex.length && choice.texts.length > 1) {
    return [{ texts: choice.texts, isCaptured: false }];
  }
  const parts: Part[] = [];
  for (let at = 0; at < regex.length; ) {
    const part = readWild(regex, at, false) ?? readGroup(regex, at) ?? readText(regex, at);
    // What can be repeated or is no simple part at all is for the engine.
    if (part === undefined || part.end === at || '*+?{'.includes(regex[part.end] ?? 'end')) return undefined;
    parts.push(part.part);
    at = part.end;
  }
  return parts;
}

interface Read<Kind> {
  readonly part: Kind;
  readonly end: number;
}

function readWild(regex: string, at: number, isCaptured: boolean): Read<Wild> | undefined {
  if (regex[at] !== '.') return undefined;
  if (regex[at + 1] === '*') return { part: { min: 0, isCaptured }, end: at + 2 };
  if (regex[at + 1] === '+') return { part: { min: 1, isCaptured }, end: at + 2 };
  return undefined;
}

/** A group of texts or of `.*`, captured or not. */
function readGroup(regex: string, at: number): Read<Part> | undefined {
  if (regex[at] !== '(') return undefined;
  const isCaptured = !regex.startsWith('(?:', at);
  const inside = isCaptured ? at + 1 : at + 3;
  const wild = readWild(regex, inside, isCaptured);
  if (wild !== undefined) return regex[wild.end] === ')' ? { part: wild.part, end: wild.end + 1 } : undefined;
  const choice = readChoice(regex, inside);
  if (choice === undefined || regex[choice.end] !== ')') return undefined;
  return { part: { texts: choice.texts, isCaptured }, end: choice.end + 1 };
}

/** `a|b|c`, up to what is no literal character. */
function readChoice(regex: string, from: number): { texts: string[]; end: number } | undefined {
  const texts: string[] = [];
  for (let at = from; ; ) {
    const { part, end } = readText(regex, at);
    texts.push(part);
    if (regex[end] !== '|') return '*+?{'.includes(regex[end] ?? 'end') ? undefined : { texts, end };
    at = end + 1;
  }
}

/** Literal characters; none when there is something else. */
function readText(regex: string, from: number): Read<string> {
  let part = '';
  let at = from;
  for (; at < regex.length; at++) {
    const character = regex[at]!;
    if (character === '\\' && /[!-/:-@[-`{-~]/.test(regex[at + 1] ?? '')) part += regex[++at];
    else if (!'\\.[]{}()*+?^$|'.includes(character)) part += character;
    else break;
  }
  return { part, end: at };
}
