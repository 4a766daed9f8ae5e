/** Reads a file of relabel rules: a YAML list. Everything that is wrong with it is told at once, each with its place. */
import type { Document, Node, Pair, YAMLMap } from 'yaml';
import type { Problem } from '../../config/problem.ts';
import { syntaxProblem } from '../../config/yaml-syntax.ts';
import { messageOf } from '../../util/error.ts';
import { nearestName } from '../../util/names.ts';
import { type Action, type Field, fields, type RuleSpec } from './action.ts';
import { actions } from './actions/index.ts';
import { compileCondition, SelectorError } from './condition.ts';
import { countAtoms, RegexError } from './regex.ts';

export type { RuleSpec } from './action.ts';

import { yaml } from '../../util/yaml.ts';

export interface ParsedRules {
  /** Only those without problems. */
  readonly rules: RuleSpec[];
  readonly problems: Problem[];
}

/**
 * Reads rules; `file` is the name that problems give. Placeholders for the environment are filled in already.
 * `regexPartsMax` bounds what all regexes together may cost to compile, for rules of people who may only look.
 */
export function parseRules(
  text: string,
  file: string,
  regexPartsMax = Number.POSITIVE_INFINITY,
): ParsedRules {
  try {
    return new RulesReader(text, file, regexPartsMax).read();
  } catch (error) {
    // Nesting beyond the stack, or aliases that would unfold without end.
    const hint = 'write a list of flat rules';
    return {
      rules: [],
      problems: [{ where: file, message: `this cannot be read: ${messageOf(error)}`, hint }],
    };
  }
}

const keys = ['action', 'if', ...fields] as const;
type Key = (typeof keys)[number];

/** What a rule gives: texts, lists of texts, or pairs. */
type Value = string | readonly string[] | Readonly<Record<string, string>>;

interface Entry {
  readonly keyNode: Node;
  readonly valueNode: Node | null;
  /** Undefined when it has a problem or is empty. */
  readonly value: Value | undefined;
}

const UINT64_MAX = 2n ** 64n - 1n;

class RulesReader {
  readonly #file: string;
  readonly #lines = new (yaml().LineCounter)();
  readonly #document: Document;
  readonly #problems: Problem[] = [];
  readonly #regexPartsMax: number;
  #regexParts = 0;
  #number = 0;

  constructor(text: string, file: string, regexPartsMax: number) {
    this.#file = file;
    this.#regexPartsMax = regexPartsMax;
    const options = {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    } as const;
    this.#document = yaml().parseDocument(text, options);
  }

  read(): ParsedRules {
    const problems = this.#problems;
    for (const { code, pos } of [...this.#document.errors, ...this.#document.warnings]) {
      problems.push({ where: this.#placeAt(pos[0]), ...syntaxProblem(code) });
    }
    const root = this.#document.contents;
    if (problems.length > 0 || root === null || isEmpty(root)) return { rules: [], problems };
    if (!yaml().isSeq(root)) {
      problems.push({
        where: this.#place(root),
        message: 'the file is no list of rules',
        hint: 'begin each rule with -',
      });
      return { rules: [], problems };
    }
    const rules = root.items.flatMap((item) => {
      this.#number++;
      const rule = this.#rule(item as Node | null, root);
      return rule === undefined ? [] : [rule];
    });
    return { rules, problems };
  }

  #rule(item: Node | null, list: Node): RuleSpec | undefined {
    const map = this.#resolve(item);
    const place = item ?? list;
    const before = this.#problems.length;
    if (!yaml().isMap(map)) {
      this.#problem(place, 'a rule is a mapping', 'write action: … and its other fields');
      return undefined;
    }
    const entries = this.#entries(map);
    const rule = this.#spec(entries, this.#place(place));
    const action = actions.get(rule.action);
    if (action === undefined) this.#unknownAction(rule.action, entries.get('action')!);
    else this.#check(action, rule, entries, place);
    return this.#problems.length === before ? rule : undefined;
  }

  #spec(entries: ReadonlyMap<Key, Entry>, where: string): RuleSpec {
    const text = (key: Key, absent: string) => (entries.get(key)?.value as string | undefined) ?? absent;
    const list = (key: Key) => (entries.get(key)?.value as string[] | undefined) ?? [];
    const given = [...entries].flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]]));
    return {
      where,
      text: yaml().stringify(Object.fromEntries(given), { lineWidth: 0 }).trimEnd(),
      action: text('action', 'replace').toLowerCase(),
      if: list('if'),
      sourceLabels: list('source_labels'),
      separator: text('separator', ';'),
      targetLabel: text('target_label', ''),
      regex: entries.get('regex')?.value as string | undefined,
      modulus: BigInt(text('modulus', '0')),
      replacement: text('replacement', '$1'),
      match: text('match', ''),
      labels: Object.entries((entries.get('labels')?.value as Record<string, string> | undefined) ?? {}),
    };
  }

  #unknownAction(name: string, { valueNode, keyNode }: Entry): void {
    const near = nearestName(name, actions.keys());
    const hint =
      near === undefined ? `write one of ${[...actions.keys()].join(', ')}` : `did you mean ${near}?`;
    this.#problem(valueNode ?? keyNode, `there is no action ${quoted(name)}`, hint);
  }

  #check(action: Action, rule: RuleSpec, entries: ReadonlyMap<Key, Entry>, place: Node): void {
    const isMissing = (field: Field) => {
      const entry = entries.get(field);
      // A value with a problem of its own is not missing too.
      return entry === undefined || (entry.value === undefined ? isNothing(entry) : isBlank(entry.value));
    };
    for (const field of action.required ?? []) {
      if (isMissing(field)) this.#missing(rule, field, `write ${field}: …`, place);
    }
    for (const field of rule.if.length > 0 || entries.has('if') ? [] : (action.requiredUnlessIf ?? [])) {
      if (isMissing(field)) this.#missing(rule, field, `write ${field}: … or if: …`, place);
    }
    for (const field of forbiddenBy(action)) {
      const entry = entries.get(field);
      if (entry?.value === undefined) continue;
      this.#problem(
        entry.keyNode,
        `action ${rule.action} takes no ${field}`,
        'take it away, or use another action',
      );
    }
    const complaint = action.check?.(rule);
    const blamed = complaint === undefined ? undefined : entries.get(complaint.field);
    if (complaint !== undefined && blamed?.value !== undefined) {
      this.#problem(blamed.valueNode ?? blamed.keyNode, complaint.message, complaint.hint);
    }
    this.#regexParts += [rule.regex ?? '', ...rule.if].reduce((sum, one) => sum + countAtoms(one), 0);
    if (this.#regexParts <= this.#regexPartsMax) this.#tryRegexes(action, rule, entries);
    else this.#problem(place, 'the regexes up to here are too large together', 'run fewer rules at once');
  }

  #missing(rule: RuleSpec, field: Field, hint: string, place: Node): void {
    this.#problem(place, `action ${rule.action} needs ${field}`, hint);
  }

  /** The errors of the regex, and those of selectors, have the place of their field. */
  #tryRegexes(action: Action, rule: RuleSpec, entries: ReadonlyMap<Key, Entry>): void {
    try {
      action.compile(rule);
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
      const { valueNode, keyNode } = entries.get('regex')!;
      this.#problem(
        valueNode ?? keyNode,
        `the regex ${quoted(rule.regex!)} cannot be used: ${error.message}`,
        error.hint,
      );
    }
    for (const [index, selector] of rule.if.entries()) {
      try {
        compileCondition([selector]);
      } catch (error) {
        if (!(error instanceof SelectorError)) throw error;
        const { valueNode, keyNode } = entries.get('if')!;
        const node = yaml().isSeq(valueNode) ? (valueNode.items[index] as Node) : valueNode;
        const message = `the selector ${quoted(selector)} cannot be read: ${error.message}`;
        this.#problem(node ?? keyNode, message, error.hint);
      }
    }
  }

  /** The fields of a rule; those that `<<` merges in yield to its own. */
  #entries(map: YAMLMap, outer: readonly YAMLMap[] = []): Map<Key, Entry> {
    const entries = new Map<Key, Entry>();
    const merged: YAMLMap[] = [];
    for (const { key: keyNode, value: valueNode } of map.items as Pair<Node, Node | null>[]) {
      const key = yaml().isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : '';
      if (key === '<<') {
        const value = this.#resolve(valueNode);
        const maps = yaml().isSeq(value) ? value.items.map((item) => this.#resolve(item as Node)) : [value];
        const usable = maps.filter((one) => yaml().isMap(one) && one !== map && !outer.includes(one));
        if (usable.length < maps.length)
          this.#problem(keyNode, '<< takes an alias of a mapping', 'write <<: *name');
        merged.push(...(usable as YAMLMap[]));
      } else if (!isKey(key)) {
        this.#unknownKey(key, keyNode ?? map);
      } else if (entries.has(key)) {
        this.#problem(
          keyNode,
          `${key} is given twice`,
          `keep one; the first is at ${this.#place(entries.get(key)!.keyNode)}`,
        );
      } else {
        entries.set(key, {
          keyNode,
          valueNode,
          value: this.#value(key, this.#resolve(valueNode), valueNode ?? keyNode),
        });
      }
    }
    for (const one of merged) {
      for (const [key, entry] of this.#entries(one, [...outer, map]))
        if (!entries.has(key)) entries.set(key, entry);
    }
    return entries;
  }

  #unknownKey(key: string, node: Node): void {
    const near = nearestName(key, keys);
    const hint = near === undefined ? `a rule has ${keys.join(', ')}` : `did you mean ${near}?`;
    this.#problem(node, `a rule has no field ${quoted(key)}`, hint);
  }

  #value(key: Key, node: Node | null | undefined, blame: Node): Value | undefined {
    if (node === undefined || node === null || (isEmpty(node) && !(key === 'regex' && isWritten(node))))
      return undefined;
    if (key === 'source_labels') return this.#texts(key, node, blame, 'write a list, like [job, instance]');
    if (key === 'if') {
      return yaml().isScalar(node)
        ? [textOf(node)]
        : this.#texts(key, node, blame, 'write a selector, or a list of them');
    }
    if (key === 'regex') {
      return yaml().isScalar(node)
        ? plainOf(node)
        : this.#texts(key, node, blame, 'write a regex, or a list of them', plainOf)?.join('|');
    }
    if (key === 'labels') return this.#labels(node, blame);
    if (!yaml().isScalar(node)) {
      this.#problem(blame, `${key} is one text`, 'write one value, no list or mapping');
      return undefined;
    }
    return key === 'modulus' ? this.#modulus(textOf(node), blame) : textOf(node);
  }

  #texts(key: Key, node: Node, blame: Node, hint: string, read = textOf): string[] | undefined {
    const items = yaml().isSeq(node)
      ? node.items.map((item) => this.#resolve(item as Node | null))
      : [undefined];
    if (items.every((item) => yaml().isScalar(item))) return items.map((item) => read(item));
    this.#problem(blame, `${key} is something else than a list of texts`, hint);
    return undefined;
  }

  #labels(node: Node, blame: Node): Record<string, string> | undefined {
    const items = yaml().isMap(node) ? (node.items as Pair<Node, Node | null>[]) : [undefined];
    const pairs = items.map((pair) => [pair?.key, this.#resolve(pair?.value ?? null)] as const);
    if (pairs.every(([key, value]) => yaml().isScalar(key) && yaml().isScalar(value))) {
      return Object.fromEntries(pairs.map((pair) => pair.map((scalar) => textOf(scalar as Node))));
    }
    this.#problem(blame, 'labels is something else than a mapping of names to texts', 'write {job: "$1"}');
    return undefined;
  }

  #modulus(text: string, blame: Node): string | undefined {
    if (/^\d{1,20}$/.test(text) && BigInt(text) <= UINT64_MAX) return text;
    this.#problem(blame, `${quoted(text)} is no modulus`, 'write a whole number from 1 on');
    return undefined;
  }

  #resolve(node: Node | null): Node | null | undefined {
    if (!yaml().isAlias(node)) return node;
    const target = node.resolve(this.#document) as Node | undefined;
    if (target === undefined) {
      const { message, hint } = syntaxProblem('BAD_ALIAS');
      this.#problem(node, message, hint);
    }
    return target;
  }

  #problem(node: Node, message: string, hint: string): void {
    this.#problems.push({ where: this.#place(node), message: `rule ${this.#number}: ${message}`, hint });
  }

  #place(node: Node): string {
    return this.#placeAt(node.range?.[0] ?? 0);
  }

  #placeAt(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#file}:${line}:${col}`;
  }
}

function isKey(key: string): key is Key {
  return (keys as readonly string[]).includes(key);
}

/** What only graphite has is forbidden to all others. */
function forbiddenBy(action: Action): readonly Field[] {
  const forbidden = action.forbidden ?? [];
  return action.required?.includes('match') ? forbidden : [...forbidden, 'match', 'labels'];
}

function isEmpty(node: Node): boolean {
  return yaml().isScalar(node) && node.value === null;
}

/** `null` or `~`, and not nothing at all. */
function isWritten(node: Node): boolean {
  return yaml().isScalar(node) && (node.source ?? '') !== '';
}

function isNothing({ valueNode }: Entry): boolean {
  return valueNode === null || isEmpty(valueNode);
}

function isBlank(value: Value): boolean {
  return Object.keys(value).length === 0;
}

/** A text as it is written, also when it looks like a number. */
function textOf(node: Node): string {
  if (!yaml().isScalar(node)) return '';
  return typeof node.value === 'string' ? node.value : String(node.source ?? node.value);
}

/** A number, boolean or null as it is meant: 0x10 is 16. */
function plainOf(node: Node): string {
  return yaml().isScalar(node) ? String(node.value) : '';
}

/** Enough of a text to find it again. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
