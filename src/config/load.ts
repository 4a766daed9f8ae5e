/** The whole way from arguments to a checked configuration. */
import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Check } from './check.ts';
import type { Schema } from './collect.ts';
import { type Config, Destination } from './config.ts';
import { checkDestinationCounts, checkIdentities, checkUrlSources } from './destination-check.ts';
import { type FileContents, readConfigFile } from './file.ts';
import { nameFromUrl, schemeOf, shownUrlOf } from './identity.ts';
import type { DestinationValues, OptionTable, Values } from './option.ts';
import type { Problem } from './problem.ts';
import { Resolver } from './resolve.ts';
import type { ReadReference } from './secret-source.ts';
import {
  type Environment,
  type Item,
  type Layer,
  readArguments,
  readEnvironment,
  type SourceContext,
} from './sources.ts';
import { parseValue } from './value.ts';
import { vmagentFlags } from './vmagent-flags.ts';

export interface LoadInput<T extends OptionTable> {
  readonly schema: Schema<T>;
  /** Without the program's name. */
  readonly args: readonly string[];
  readonly env: Environment;
  /** The rules of components. */
  readonly checks?: readonly Check<T>[];
  readonly clock?: Pick<Clock, 'monotonicMs'>;
  /** For tests: how -config and secrets are read. */
  readonly readText?: (path: string) => Promise<string>;
  readonly readReference?: ReadReference;
}

/** `config` is whole even with problems (what is wrong is at its default), so that `-help` can be answered. */
export interface LoadResult<T extends OptionTable> {
  readonly config: Config<T>;
  /** Everything that is wrong; empty if the configuration can be used. */
  readonly problems: readonly Problem[];
}

const NO_FILE: FileContents = { options: new Map(), destinations: undefined };

/** Reads all sources and checks everything. Throws only for our own mistakes. */
export async function loadConfig<T extends OptionTable>(input: LoadInput<T>): Promise<LoadResult<T>> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const context: SourceContext = { schema: input.schema, env: input.env, problems, warnings };
  const flags = readArguments(input.args, context);
  const environment = readEnvironmentIfAsked(flags, context);
  const file = await readFileIfGiven(firstText('config', flags, environment), input, context);
  const sources = { flags, environment, file: file ?? NO_FILE };
  checkUrlSources(sources, problems);
  const ports = { clock: input.clock ?? systemClock, readReference: input.readReference };
  const resolver = new Resolver(input.schema, sources, ports, problems);
  const values = resolver.values() as Values<T>;
  const destinations = destinationsOf(resolver, values, input.schema);
  checkDestinationCounts(input.schema, sources, resolver.destinationCount, problems, warnings);
  // A file that could not be read may have had destinations.
  checkIdentities(destinations, file === undefined, problems);
  const hidden = (values as Values<OptionTable>)['secret.flags'] as readonly string[] | undefined;
  const config: Config<T> = {
    values,
    destinations,
    set: resolver.shown(
      (name) => hidden?.includes(name) ?? false,
      destinations.map(({ shownUrl }) => shownUrl),
    ),
    warnings,
    where: (name, index) => resolver.where(name, index),
  };
  problems.push(...(await secretProblems(resolver)));
  for (const check of input.checks ?? []) problems.push(...(await check(config)));
  return { config, problems };
}

function firstText(name: string, ...layers: readonly Layer[]): Item | undefined {
  return layers.find((layer) => layer.has(name))?.get(name)?.[0];
}

function readEnvironmentIfAsked(flags: Layer, context: SourceContext): Layer {
  const asked = firstText('envflag.enable', flags);
  const option = context.schema.find('envflag.enable');
  if (asked === undefined || option === undefined) return new Map();
  const enabled = parseValue(option.spec, asked.text);
  if (!enabled.ok || enabled.value !== true) return new Map();
  return readEnvironment(firstText('envflag.prefix', flags)?.text ?? '', vmagentFlags.keys(), context);
}

/** Undefined when there is a file that cannot be used. */
async function readFileIfGiven<T extends OptionTable>(
  given: Item | undefined,
  input: LoadInput<T>,
  context: SourceContext,
): Promise<FileContents | undefined> {
  if (given === undefined || given.text === '') return NO_FILE;
  let text: string;
  try {
    text = await (input.readText ?? ((path) => readFile(path, 'utf8')))(given.text);
  } catch (error) {
    const message = `the file cannot be read: ${messageOf(error)}`;
    context.problems.push({ where: given.where, message, hint: 'check the path and its permissions' });
    return undefined;
  }
  return readConfigFile(given.text, text, context);
}

function destinationsOf<T extends OptionTable>(
  resolver: Resolver,
  values: Values<T>,
  schema: Schema<T>,
): Destination<DestinationValues<T>>[] {
  const all = values as Record<string, unknown>;
  const showUrl = all['remoteWrite.showURL'] === true;
  const perDestination = schema.options
    .filter(({ spec }) => spec.arity === 'destination')
    .map(({ name }) => name);
  return resolver.destinations().map(({ url, where }, index) => {
    const own = { ...all };
    for (const name of perDestination) own[name] = (all[name] as unknown[])[index];
    const scheme = schemeOf(url);
    const identity = {
      name: (own['remoteWrite.name'] as string | undefined) || nameFromUrl(url),
      url,
      shownUrl: shownUrlOf(url, index, showUrl),
      where: scheme === undefined ? where : `${where} (${scheme})`,
    };
    return new Destination(identity, own as DestinationValues<T>);
  });
}

/** Secrets that are read from elsewhere must be readable now; later failures keep the last one. */
async function secretProblems({ secretSources }: Resolver): Promise<Problem[]> {
  const problems = await Promise.all(secretSources.map((source) => source.check()));
  return problems.filter((problem) => problem !== undefined);
}
