/** What can be wrong with the list of destinations, whatever their kinds. */
import type { Schema } from './collect.ts';
import type { Destination } from './config.ts';
import type { FileContents } from './file.ts';
import { NAME, NAME_RULE } from './identity.ts';
import type { Problem } from './problem.ts';
import type { Layer } from './sources.ts';

interface Sources {
  readonly flags: Layer;
  readonly environment: Layer;
  readonly file: FileContents;
}

const START_HINT =
  'for a first look run "npm start" or sluice -config=config/quickstart.yaml; ' +
  'to write to VictoriaMetrics: sluice -remoteWrite.url=http://127.0.0.1:8428/api/v1/write';

/** Destinations come from flags (or environment) or from the file: a position in one has no meaning in the other. */
export function checkUrlSources({ flags, environment, file }: Sources, problems: Problem[]): void {
  if (file.destinations === undefined) return;
  for (const name of ['remoteWrite.url', 'remoteWrite.name']) {
    const item = (flags.get(name) ?? environment.get(name))?.[0];
    if (item === undefined) continue;
    const message = 'there are destinations both here and in the file';
    problems.push({
      where: item.where,
      message,
      hint: 'keep them in the file, or take destinations: out of it',
    });
  }
}

/**
 * Lists whose length does not fit. Too many items are an error: an item (a token, say) would be meant for a destination
 * that is not there. Too few mean defaults as in vmagent, and one secret for several destinations goes to all of them;
 * both are told.
 */
export function checkDestinationCounts(
  schema: Schema,
  { flags, environment }: Sources,
  count: number,
  problems: Problem[],
  warnings: Problem[],
): void {
  if (count === 0) return;
  for (const { name, spec } of schema.options.filter(({ spec }) => spec.arity === 'destination')) {
    for (const items of [flags.get(name), environment.get(name)]) {
      if (items === undefined) continue;
      const { where } = items[0]!;
      if (items.length > count) {
        const message = `it has ${items.length} items, but there ${isAre(count, 'destination')}`;
        problems.push({ where, message, hint: 'give one item for each destination, or one for all' });
      } else if (items.length > 1 && items.length < count) {
        const message = `it has ${items.length} items for ${count} destinations; the others have the default`;
        warnings.push({ where, message, hint: 'give one item for each destination' });
      } else if (items.length === 1 && count > 1 && spec.kind === 'secret' && items[0]!.text !== '') {
        const message = `this one secret is sent to all ${count} destinations`;
        warnings.push({ where, message, hint: 'if this is not meant, give one item for each destination' });
      }
    }
  }
}

function isAre(count: number, noun: string): string {
  return count === 1 ? `is 1 ${noun}` : `are ${count} ${noun}s`;
}

/** There is at least one destination, each has a URL and a name, and no two have the same name. */
export function checkIdentities(
  destinations: readonly Destination<unknown>[],
  mayBeElsewhere: boolean,
  problems: Problem[],
): void {
  if (destinations.length === 0 && !mayBeElsewhere) {
    problems.push({ where: 'flag -remoteWrite.url', message: 'there is no destination', hint: START_HINT });
  }
  const holders = new Map<string, number>();
  for (const [index, { name, url, where }] of destinations.entries()) {
    if (url === '') {
      problems.push({ where, message: 'this destination has no URL', hint: 'give it one, or take it away' });
      continue;
    }
    if (!NAME.test(name)) {
      problems.push({
        where,
        message: `the name ${JSON.stringify(name)} cannot be used`,
        hint: `use ${NAME_RULE}`,
      });
    }
    // Names are directories, and some file systems do not tell upper from lower case.
    const key = name.toLowerCase();
    const holder = holders.get(key);
    if (holder !== undefined) {
      problems.push({
        where,
        message: `destinations ${holder + 1} and ${index + 1} are both called ${name}`,
        hint: 'give them names: -remoteWrite.name=one,two, or name: in the file',
      });
    } else holders.set(key, index);
  }
}
