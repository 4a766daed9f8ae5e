import { assert } from '../util/assert.ts';
import type { OptionSpec, OptionTable } from './option.ts';

/** The options of one component, under the title that `-help` and the docs give them. */
export interface OptionGroup<T extends OptionTable = OptionTable> {
  readonly title: string;
  readonly options: T;
}

export interface Option {
  /** As in the flag, without the dash. */
  readonly name: string;
  readonly spec: OptionSpec;
}

/** All options of the program. */
export interface Schema<T extends OptionTable = OptionTable> {
  readonly groups: readonly OptionGroup[];
  readonly table: T;
  readonly options: readonly Option[];
  /** Finds an option by its name or an alias. */
  find(name: string): Option | undefined;
  /** Is there an option whose name begins with `prefix` and a dot? */
  hasPrefix(prefix: string): boolean;
}

/** Tables that are only known as `OptionTable` (those of registries) say nothing about names; they are left out of the type. */
type Known<T> = T extends unknown ? (string extends keyof T ? never : T) : never;
type Intersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never;
type Merged<G extends readonly OptionGroup[]> =
  Intersection<Known<G[number]['options']>> extends infer T extends OptionTable ? T : OptionTable;

/** Merges option tables. Two options of the same name, alias or environment variable are our bug. */
export function collect<const G extends readonly OptionGroup[]>(groups: G): Schema<Merged<G>> {
  const byName = new Map<string, Option>();
  const variables = new Set<string>();
  const prefixes = new Set<string>();
  const options: Option[] = [];
  for (const [name, spec] of groups.flatMap((group) => Object.entries(group.options))) {
    const option = { name, spec };
    options.push(option);
    for (const known of [name, ...(spec.aliases ?? [])]) {
      assert(!byName.has(known), `two options are called ${known}`);
      assert(
        !variables.has(variableOf(known)),
        `two options have the environment variable ${variableOf(known)}`,
      );
      byName.set(known, option);
      variables.add(variableOf(known));
      const parts = known.split('.');
      for (let length = 1; length < parts.length; length++) prefixes.add(parts.slice(0, length).join('.'));
    }
  }
  const table = Object.fromEntries(options.map(({ name, spec }) => [name, spec])) as Merged<G>;
  return {
    groups: groups.filter((group) => Object.keys(group.options).length > 0),
    table,
    options,
    find: (name) => byName.get(name),
    hasPrefix: (prefix) => prefixes.has(prefix),
  };
}

/** The environment variable of an option, without the prefix. */
export function variableOf(name: string): string {
  return name.replaceAll('.', '_');
}
