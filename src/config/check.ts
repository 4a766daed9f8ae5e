/** What is wrong beyond single values: names that nobody knows, and rules between options. */
import { nearestName } from '../util/names.ts';
import type { Schema } from './collect.ts';
import type { Config } from './config.ts';
import type { OptionTable } from './option.ts';
import type { Problem } from './problem.ts';
import { type VmagentFlag, vmagentFlags } from './vmagent-flags.ts';

/** A rule that a component has about its options. It gets what could be parsed; the rest is at its default. */
export type Check<T extends OptionTable = OptionTable> = (
  config: Config<T>,
) => readonly Problem[] | Promise<readonly Problem[]>;

interface Reports {
  readonly schema: Schema;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** How names are written where this one was found: `dash` before them, and without `omit` at the beginning. */
export interface NameStyle {
  readonly dash: '-' | '';
  readonly omit?: string;
}

/**
 * Reports a name that no option has.
 * Tells whether the name is known to be of a boolean flag, which takes no further argument.
 */
export function problemOfUnknown(
  name: string,
  where: string,
  style: NameStyle,
  text: string | undefined,
  { schema, problems, warnings }: Reports,
): { readonly bool: boolean } {
  const known = vmagentFlags.get(name);
  if (known === undefined) {
    const message = style.dash === '-' ? 'there is no such flag' : 'there is no such key';
    problems.push({ where, message, hint: hintFor(name, style, schema) });
    return { bool: false };
  }
  if (known.ignored !== undefined) {
    const message = `it has no effect in Sluice: ${known.ignored}`;
    warnings.push({ where, message, hint: 'take it away' });
  } else if (!isOff(known, text)) {
    problems.push({
      where,
      message: 'it is known to vmagent, but not supported by this version of Sluice',
      hint: 'see docs/differences.md; take it away if you can do without it',
    });
  }
  return { bool: known.bool };
}

/** Something that is not supported may be switched off. */
function isOff({ bool }: VmagentFlag, text: string | undefined): boolean {
  return bool && text !== undefined && /^(0|f|F|false|FALSE|False)$/.test(text);
}

function hintFor(name: string, { dash, omit = '' }: NameStyle, schema: Schema): string {
  const nearest = nearestName(name, [...schema.options.map((option) => option.name), ...vmagentFlags.keys()]);
  if (nearest === undefined) return dash === '-' ? 'see sluice -help' : 'see docs/configuration.md';
  const isOurs = schema.find(nearest) !== undefined || vmagentFlags.get(nearest)?.ignored !== undefined;
  const shown = nearest.startsWith(omit) ? nearest.slice(omit.length) : nearest;
  return `did you mean ${dash}${shown}?${isOurs ? '' : ' (vmagent has it, this version of Sluice does not)'}`;
}
