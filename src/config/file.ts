/**
 * The YAML form of the configuration. Keys are names of options, split at dots or not; `destinations` is a list of
 * objects whose keys are the options of a destination without `remoteWrite.`. Every value knows its line.
 */
import type { Document, Node, Pair, YAMLMap } from 'yaml';
import { yaml } from '../util/yaml.ts';
import { problemOfUnknown } from './check.ts';
import type { Option } from './collect.ts';
import { flagOnly } from './options.ts';
import { expandVariables, type Item, type Layer, type SourceContext, warnOfAlias } from './sources.ts';
import { syntaxProblem } from './yaml-syntax.ts';

const DESTINATION_PREFIX = 'remoteWrite.';
const DESTINATION_ONLY = ['remoteWrite.url', 'remoteWrite.name'];

export interface FileContents {
  readonly options: Layer;
  /** One for each destination; undefined when the file has no `destinations`. */
  readonly destinations: readonly FileDestination[] | undefined;
}

export interface FileDestination {
  readonly where: string;
  readonly options: Layer;
}

/** Reads the text of the file at `path`; undefined if it is no YAML mapping, and then nothing but that is reported. */
export function readConfigFile(path: string, text: string, context: SourceContext): FileContents | undefined {
  return new FileReader(path, text, context).read();
}

/** The part of the file that is being read. */
interface Scope {
  readonly layer: Layer;
  readonly isDestination: boolean;
}

/** A key with its value; the node of the value is never an alias. */
interface Entry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | null;
  /** The place to blame for the value: of an alias its own, not that of its anchor. */
  readonly valueNode: Node | null;
}

class FileReader {
  readonly #path: string;
  readonly #context: SourceContext;
  readonly #lines = new (yaml().LineCounter)();
  readonly #document: Document;

  constructor(path: string, text: string, context: SourceContext) {
    this.#path = path;
    this.#context = context;
    // prettyErrors would put lines of the file, and so secrets, into messages.
    const options = {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    } as const;
    this.#document = yaml().parseDocument(text, options);
  }

  read(): FileContents | undefined {
    const options: Layer = new Map();
    const faults = [...this.#document.errors, ...this.#document.warnings];
    for (const { code, pos } of faults) {
      this.#context.problems.push({ where: this.#placeAt(pos[0]), ...syntaxProblem(code) });
    }
    const root = this.#document.contents;
    if (faults.length > 0) return undefined;
    if (root === null || isEmpty(root)) return { options, destinations: undefined };
    if (!yaml().isMap(root)) {
      this.#problem(root, 'the file is no mapping', 'write key: value lines');
      return undefined;
    }
    let destinations: FileDestination[] | undefined;
    this.#descend(root, '', { layer: options, isDestination: false }, (entry) => {
      if (entry.key === 'destinations') destinations = this.#readDestinations(entry);
      // As in Compose files: a place for anchors.
      return entry.key === 'destinations' || entry.key.startsWith('x-');
    });
    return { options, destinations };
  }

  #readDestinations({ value, keyNode }: Entry): FileDestination[] {
    if (!yaml().isSeq(value)) {
      this.#problem(
        keyNode,
        'destinations is no list',
        'write "- name: …" and "url: …" for each destination',
      );
      return [];
    }
    return value.items.map((raw) => {
      const item = this.#resolve(raw as Node | null);
      const options: Layer = new Map();
      if (yaml().isMap(item))
        this.#descend(item, DESTINATION_PREFIX, { layer: options, isDestination: true });
      else if (item !== undefined)
        this.#problem(raw as Node, 'this destination is no mapping', 'write name: … and url: … for it');
      return { where: this.#place((raw as Node | null) ?? keyNode), options };
    });
  }

  /** Reads a mapping whose keys continue `prefix`; `intercept` takes what is no option. */
  #descend(map: YAMLMap, prefix: string, scope: Scope, intercept?: (entry: Entry) => boolean): void {
    for (const entry of this.#entries(map)) {
      if (intercept?.(entry)) continue;
      const name = prefix + entry.key;
      const option = this.#context.schema.find(name);
      if (yaml().isMap(entry.value) && this.#context.schema.hasPrefix(name)) {
        this.#descend(entry.value, `${name}.`, scope);
      } else if (option === undefined) {
        this.#unknown(entry, name, scope);
      } else {
        this.#set(entry, name, option, scope);
      }
    }
  }

  #unknown({ keyNode, value }: Entry, name: string, { isDestination }: Scope): void {
    const { schema } = this.#context;
    if (schema.hasPrefix(name)) {
      // A key with nothing under it, for example because everything there is a comment.
      if (value !== null && !isEmpty(value))
        this.#problem(keyNode, `${name} is no option`, 'write keys under it');
      return;
    }
    const bare = isDestination ? name.slice(DESTINATION_PREFIX.length) : name;
    if (isDestination && schema.find(bare) !== undefined) {
      const hint = 'put it at the top level of the file';
      this.#problem(keyNode, `${bare} is no option of a destination`, hint);
      return;
    }
    const text = yaml().isScalar(value) ? String(value.value) : undefined;
    const style = { dash: '', omit: isDestination ? DESTINATION_PREFIX : '' } as const;
    problemOfUnknown(name, this.#place(keyNode), style, text, this.#context);
  }

  #set({ keyNode, value, valueNode }: Entry, name: string, option: Option, scope: Scope): void {
    const where = this.#place(keyNode);
    const misplaced = this.#misplaced(option, scope);
    if (misplaced !== undefined) {
      this.#problem(keyNode, misplaced.message, misplaced.hint);
      return;
    }
    const before = scope.layer.get(option.name)?.[0];
    if (before !== undefined) {
      this.#problem(keyNode, `${option.name} is given twice`, `keep one; the other is at ${before.where}`);
      return;
    }
    warnOfAlias(option, name, where, '', this.#context.warnings);
    const items = this.#items(value, valueNode ?? keyNode, option, scope);
    if (items !== undefined) scope.layer.set(option.name, items);
  }

  /** Options that this part of the file cannot have. */
  #misplaced(
    { name, spec }: Option,
    { isDestination }: Scope,
  ): { message: string; hint: string } | undefined {
    if (flagOnly.includes(name) || name === 'config') {
      return { message: `${name} cannot be set in the file`, hint: `give it as flag -${name}` };
    }
    if (isDestination) {
      if (spec.arity === 'destination' || DESTINATION_ONLY.includes(name)) return undefined;
      const bare = name.slice(DESTINATION_PREFIX.length);
      return {
        message: `${bare} is the same for all destinations`,
        hint: `put it at the top level, as ${name}`,
      };
    }
    if (!DESTINATION_ONLY.includes(name)) return undefined;
    return {
      message: `${name} is given in the form of flags`,
      hint: 'write destinations: with name: and url:',
    };
  }

  #items(value: Node | null, blame: Node, option: Option, { isDestination }: Scope): Item[] | undefined {
    if (yaml().isSeq(value)) {
      if (option.spec.arity === 'list' && !isDestination) {
        const items = value.items.map((item) => this.#item(this.#resolve(item as Node), item as Node));
        return items.every((item) => item !== undefined) ? items : undefined;
      }
      const hint =
        option.spec.arity === 'destination'
          ? 'give each destination its own under destinations:'
          : 'write one value';
      this.#problem(blame, `${option.name} takes one value, no list`, hint);
      return undefined;
    }
    const item = this.#item(value, blame);
    return item === undefined ? undefined : [item];
  }

  #item(value: Node | null | undefined, blame: Node): Item | undefined {
    if (value === undefined) return undefined;
    if (value !== null && !yaml().isScalar(value)) {
      this.#problem(blame, 'this takes a value, no mapping or list', 'write one value');
      return undefined;
    }
    if (value === null || isEmpty(value)) {
      this.#problem(blame, 'there is no value', 'write one, or "" for an empty text, or take the key away');
      return undefined;
    }
    const where = this.#place(blame);
    const text = typeof value.value === 'string' ? value.value : (value.source ?? String(value.value));
    return { text: expandVariables(text, where, this.#context), where };
  }

  /** The entries of a mapping; those that `<<` merges in come last and yield to its own. */
  #entries(map: YAMLMap): Entry[] {
    const entries = new Map<string, Entry>();
    const merged: YAMLMap[] = [];
    for (const { key: keyNode, value: valueNode } of map.items as Pair<Node, Node | null>[]) {
      const key = yaml().isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : undefined;
      const value = this.#resolve(valueNode);
      if (value === undefined) continue;
      if (key === undefined) this.#problem(keyNode, 'this key is no text', 'write the name of an option');
      else if (key === '<<') merged.push(...this.#mergedMaps(value, keyNode));
      else if (entries.has(key)) this.#twice(key, keyNode, entries.get(key)!);
      else entries.set(key, { key, keyNode, value, valueNode });
    }
    for (const entry of merged.flatMap((one) => this.#entries(one))) {
      if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    return [...entries.values()];
  }

  #twice(key: string, keyNode: Node, first: Entry): void {
    this.#problem(
      keyNode,
      `the key ${key} is given twice`,
      `keep one; the first is at ${this.#place(first.keyNode)}`,
    );
  }

  #mergedMaps(value: Node | null, keyNode: Node): YAMLMap[] {
    const maps = yaml().isSeq(value) ? value.items.map((item) => this.#resolve(item as Node)) : [value];
    if (maps.every((item) => yaml().isMap(item))) return maps;
    this.#problem(keyNode, '<< takes an alias of a mapping', 'write <<: *name');
    return [];
  }

  /** The node that an alias stands for; undefined, and reported, when there is none. */
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
    this.#context.problems.push({ where: this.#place(node), message, hint });
  }

  #place(node: Node): string {
    return this.#placeAt(node.range?.[0] ?? 0);
  }

  #placeAt(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#path}:${line}:${col}`;
  }
}

function isEmpty(node: Node): boolean {
  return yaml().isScalar(node) && node.value === null;
}
