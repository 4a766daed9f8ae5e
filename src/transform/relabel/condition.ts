/**
 * The selectors of `if`, in the syntax of MetricsQL: `name{a="b",c=~"d|e" or f!="g"}`. Filters with a comma between them
 * must all hold, of groups with `or` between them one must. A label that is missing is empty, but `__name__=""` is for
 * series that have an empty name, not for those without one.
 */
import type { Labels } from '../../model/labels.ts';
import { compilePattern, RegexError } from './regex.ts';

export type Condition = (labels: Labels) => boolean;

/** One filter; it looks at one label only. */
interface Filter {
  readonly label: string;
  readonly test: (value: string) => boolean;
  readonly holds: Condition;
}

/** A selector that cannot be read; the message has the place in it. */
export class SelectorError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const NAME = '__name__';
const operators = ['=~', '!~', '!=', '='] as const;
type Operator = (typeof operators)[number];

/** True for series that one of the selectors matches. Throws a SelectorError. */
export function compileCondition(selectors: readonly string[]): Condition {
  const groups = selectors.flatMap((selector) => new SelectorReader(selector).read());
  const [first] = groups;
  if (groups.length === 1 && first!.length === 1) return first![0]!.holds;
  return (labels) => {
    for (const filters of groups) if (allHold(filters, labels)) return true;
    return false;
  };
}

/** What the selectors ask of values, label by label. */
export function testsOf(selectors: readonly string[]): Pick<Filter, 'label' | 'test'>[] {
  return selectors.flatMap((selector) => new SelectorReader(selector).read().flat());
}

function allHold(filters: readonly Filter[], labels: Labels): boolean {
  for (const { holds } of filters) if (!holds(labels)) return false;
  return true;
}

function filterOf(label: string, operator: Operator, value: string): Filter {
  const test = testOf(operator, value);
  if (operator === '=' && label === NAME && value === '') {
    return { label, test, holds: (labels) => labels.indexOf(NAME) >= 0 && labels.get(NAME) === '' };
  }
  return { label, test, holds: (labels) => test(labels.get(label)) };
}

function testOf(operator: Operator, value: string): (value: string) => boolean {
  if (operator === '=') return (own) => own === value;
  if (operator === '!=') return (own) => own !== value;
  const pattern = compilePattern(value);
  const wanted = operator === '=~';
  return (own) => pattern.matches(own) === wanted;
}

/** A letter, `_` or `:`, then also digits and dots; anything after a backslash. */
const IDENTIFIER = /(?:[\p{L}_:]|\\.)(?:[\p{L}\d_:.]|\\.)*/suy;
const OPERATOR = /=~|!~|!=|=/y;
const SPACE = /[ \t\r\n\f\v]*/y;
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

class SelectorReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The groups, each with its filters. */
  read(): Filter[][] {
    this.#skip();
    const metric = this.#peek() === '{' ? undefined : this.#identifier('a metric name or {');
    const named = metric === undefined ? [] : [filterOf(NAME, '=', metric)];
    this.#skip();
    const groups = this.#peek() === '{' ? this.#groups() : [[]];
    this.#skip();
    if (this.#at < this.#text.length) {
      throw this.#error('the end', 'write a selector alone, without functions, ranges and offsets');
    }
    return groups.map((filters) => [...named, ...filters]);
  }

  #groups(): Filter[][] {
    this.#at++;
    const groups: Filter[][] = [[]];
    for (;;) {
      this.#skip();
      if (this.#peek() === '}' && groups.length > 1 && groups.at(-1)!.length === 0) {
        throw this.#error('a filter after or');
      }
      if (this.#take('}')) return groups;
      if (this.#takeOr()) {
        if (groups.at(-1)!.length === 0) throw this.#error('a filter before or');
        groups.push([]);
        continue;
      }
      groups.at(-1)!.push(this.#filter());
      this.#skip();
      const isLast = this.#peek() === '}' || this.#isOr();
      if (!isLast && !this.#take(',')) throw this.#error('a comma, or or }');
    }
  }

  #filter(): Filter {
    const isQuoted = this.#isQuote();
    const label = isQuoted ? this.#string() : this.#identifier('a label');
    this.#skip();
    const operator = this.#match(OPERATOR) as Operator | undefined;
    if (operator === undefined) {
      // `{"a metric name"}`.
      if (isQuoted) return filterOf(NAME, '=', label);
      throw this.#error('=, !=, =~ or !~');
    }
    this.#skip();
    const start = this.#at;
    const value = this.#string();
    try {
      return filterOf(label, operator, value);
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
      throw new SelectorError(
        `its regex at character ${start + 1} cannot be used: ${error.message}`,
        error.hint,
      );
    }
  }

  /** `or` is a word between groups, but it may be a label too. */
  #isOr(): boolean {
    return /^or(?![\p{L}\d_:.\\])(?!\s*[=!])/iu.test(this.#text.slice(this.#at, this.#at + 256));
  }

  #takeOr(): boolean {
    if (!this.#isOr()) return false;
    this.#at += 2;
    return true;
  }

  #identifier(expected: string): string {
    const text = this.#match(IDENTIFIER);
    if (text === undefined) throw this.#error(expected);
    return text.replace(/\\(?:x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|(.))/gsu, (_, byte, unit, other) =>
      other === undefined ? String.fromCharCode(Number.parseInt(byte ?? unit, 16)) : other,
    );
  }

  #isQuote(): boolean {
    return ['"', "'", '`'].includes(this.#peek());
  }

  #string(): string {
    if (!this.#isQuote()) throw this.#error('a quoted text');
    const start = this.#at;
    const quote = this.#text[this.#at++]!;
    let value = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        this.#at = start;
        throw this.#error(`a ${quote} that ends the text that begins here`);
      }
      if (character === '\\' && quote !== '`') value += this.#escape();
      else {
        this.#at++;
        if (character === quote) return value;
        value += character;
      }
    }
  }

  #escape(): string {
    const kind = this.#text[this.#at + 1] ?? '';
    const simple = Object.hasOwn(escapes, kind) ? escapes[kind] : undefined;
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const code = this.#match(
      /\\(?:x[0-7][\dA-Fa-f]|[01][0-7]{2}|u[\dA-Fa-f]{4}|U00(?:0[\dA-Fa-f]|10)[\dA-Fa-f]{4})/y,
    );
    if (code === undefined)
      throw this.#error('an escape of Go', `write \\\\ for a backslash, or quote with \``);
    const digits = code.slice(1).replace(/^[xuU]/, '');
    return String.fromCodePoint(Number.parseInt(digits, digits.length === code.length - 1 ? 8 : 16));
  }

  #skip(): void {
    this.#match(SPACE);
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  /** What the pattern, a sticky one, matches here; undefined when it does not. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #error(expected: string, hint = 'write it like foo{a="b",c=~"d|e"}'): SelectorError {
    const found = this.#at < this.#text.length ? 'this is something else' : 'it ends here';
    return new SelectorError(`at character ${this.#at + 1} ${expected} is expected, and ${found}`, hint);
  }
}
