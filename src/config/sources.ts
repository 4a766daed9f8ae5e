/** The three places that options come from, reduced to one form: what was given for which option, and where. */
import { splitCommaList } from '../util/comma-list.ts';
import { problemOfUnknown } from './check.ts';
import { type Option, type Schema, variableOf } from './collect.ts';
import { flagOnly } from './options.ts';
import type { Problem } from './problem.ts';
import { redactUrls } from './redact.ts';

/** One value, not yet parsed. */
export interface Item {
  readonly text: string;
  readonly where: string;
}

/** What one source gives: one item for an option of arity `one`, else any number. */
export type Layer = Map<string, Item[]>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the readers of sources share. */
export interface SourceContext {
  readonly schema: Schema;
  readonly env: Environment;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** Puts `%{NAME}` into effect; what a variable holds is not expanded again. An unknown name is a problem. */
export function expandVariables(text: string, where: string, { env, problems }: SourceContext): string {
  return text.replaceAll(/%\{(\w+)\}/g, (whole, name: string) => {
    const value = env[name];
    if (value !== undefined) return value;
    const message = `there is no environment variable ${name} for %{${name}}`;
    problems.push({ where, message, hint: `set ${name}, or write the value itself` });
    return whole;
  });
}

/** Warns of an older name; `style` is how people write names where this one was found. */
export function warnOfAlias(
  option: Option,
  given: string,
  where: string,
  dash: '-' | '',
  warnings: Problem[],
) {
  if (given === option.name || given.length === 1) return;
  const message = `${dash}${given} is an older name`;
  warnings.push({ where, message, hint: `write ${dash}${option.name}` });
}

function add(layer: Layer, option: Option, text: string, where: string): void {
  if ((option.spec.arity ?? 'one') === 'one') {
    layer.set(option.name, [{ text, where }]);
    return;
  }
  const before = layer.get(option.name) ?? [];
  layer.set(option.name, [...before, ...splitCommaList(text).map((item) => ({ text: item, where }))]);
}

/** What to do with an argument. */
interface Flag {
  readonly name: string;
  readonly text: string | undefined;
}

/** `-name`, `--name`, `-name=text`; undefined for anything else. */
function parseFlag(argument: string): Flag | undefined {
  const match = /^--?([^-=][^=]*)(=[\s\S]*)?$/.exec(argument);
  return match === null ? undefined : { name: match[1]!, text: match[2]?.slice(1) };
}

/** Reads the command line. As with Go's flags, a boolean takes its value only as `-name=value`, and the last one counts. */
export function readArguments(args: readonly string[], context: SourceContext): Layer {
  const { schema, problems } = context;
  const layer: Layer = new Map();
  let lastIsPublic = true;
  for (let at = 0; at < args.length; at++) {
    const flag = parseFlag(args[at]!);
    if (flag === undefined) {
      problems.push(problemOfStray(args[at]!, at, lastIsPublic));
      continue;
    }
    const option = schema.find(flag.name);
    const where = `flag -${option === undefined ? publicName(flag.name) : flag.name}`;
    lastIsPublic = option !== undefined && option.spec.kind !== 'secret';
    if (option === undefined) {
      const known = problemOfUnknown(flag.name, where, { dash: '-' }, flag.text, context);
      const next = args[at + 1];
      if (flag.text === undefined && !known.bool && next !== undefined && parseFlag(next) === undefined) at++;
      continue;
    }
    let text = flag.text;
    if (text === undefined) {
      if (option.spec.kind === 'bool') text = 'true';
      else if (at + 1 < args.length && !isOption(args[at + 1]!, schema)) text = args[++at]!;
      else {
        problems.push({ where, message: 'the value is missing', hint: `write -${flag.name}=VALUE` });
        continue;
      }
    }
    warnOfAlias(option, flag.name, where, '-', context.warnings);
    add(layer, option, expandVariables(text, where, context), where);
  }
  return layer;
}

/** Is this the next flag, rather than a value that happens to begin with a dash? */
function isOption(argument: string, schema: Schema): boolean {
  const flag = parseFlag(argument);
  return flag !== undefined && schema.find(flag.name) !== undefined;
}

/** What was typed in place of a flag's name can be a misplaced value; only what looks like a name is shown. */
function publicName(name: string): string {
  return /^[\w.-]{1,60}$/.test(name) ? name : '…';
}

function problemOfStray(argument: string, at: number, isPublic: boolean): Problem {
  const shown = isPublic ? JSON.stringify(redactUrls(argument)) : 'not shown here, it may be a secret';
  return {
    where: `argument ${at + 1}`,
    message: `it belongs to no flag (${shown})`,
    hint: 'every argument begins with a dash; write -flag=value, booleans too',
  };
}

/** Reads the environment; only names of options (and of flags of vmagent that are not supported) are looked at. */
export function readEnvironment(
  prefix: string,
  unsupported: Iterable<string>,
  context: SourceContext,
): Layer {
  const { schema, env } = context;
  const layer: Layer = new Map();
  const known = new Set<string>();
  const look = (name: string) => {
    const variable = prefix + variableOf(name);
    known.add(variable);
    return { text: env[variable], where: `environment ${variable}` };
  };
  for (const option of schema.options.filter(({ name }) => !flagOnly.includes(name))) {
    for (const name of [option.name, ...(option.spec.aliases ?? [])]) {
      const { text, where } = look(name);
      const isText = option.spec.kind === 'string' || option.spec.kind === 'secret';
      if (text === undefined || (text === '' && !isText)) continue;
      if (name !== option.name) {
        const hint = `use ${prefix}${variableOf(option.name)}`;
        context.warnings.push({ where, message: 'this is an older name', hint });
      }
      add(layer, option, expandVariables(text, where, context), where);
    }
  }
  for (const name of unsupported) {
    const { text, where } = look(name);
    if (text !== undefined && schema.find(name) === undefined)
      problemOfUnknown(name, where, { dash: '-' }, text, context);
  }
  if (prefix !== '') warnOfStrangers(prefix, known, context);
  return layer;
}

function warnOfStrangers(prefix: string, known: ReadonlySet<string>, { env, warnings }: SourceContext): void {
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(prefix) || known.has(variable)) continue;
    const hint = 'take it away, or correct its name: dots of the flag are underscores here';
    warnings.push({ where: `environment ${variable}`, message: 'it belongs to no option', hint });
  }
}
