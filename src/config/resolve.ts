/** From what the sources give to values: precedence, destinations, parsing. */

import type { Clock } from '../util/clock.ts';
import { joinCommaList } from '../util/comma-list.ts';
import type { Secret } from '../util/secret.ts';
import type { Option, Schema } from './collect.ts';
import type { FileContents } from './file.ts';
import type { Problem } from './problem.ts';
import { redactUrls } from './redact.ts';
import { isReference, type ReadReference, SecretSource } from './secret-source.ts';
import type { Item, Layer } from './sources.ts';
import { parseValue, type Value } from './value.ts';

export interface Sources {
  readonly flags: Layer;
  readonly environment: Layer;
  readonly file: FileContents;
}

export interface ResolvePorts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly readReference?: ReadReference | undefined;
}

const URL_OPTION = 'remoteWrite.url';

/** Decides which item counts for which option and destination, and parses it. Never throws for what users give. */
export class Resolver {
  readonly secretSources: SecretSource[] = [];
  /** How many destinations there are. */
  readonly destinationCount: number;
  readonly #schema: Schema;
  readonly #sources: Sources;
  readonly #ports: ResolvePorts;
  readonly #problems: Problem[];
  /** Whoever gives an option last wins: flags, environment, file. */
  readonly #layers: readonly Layer[];

  constructor(schema: Schema, sources: Sources, ports: ResolvePorts, problems: Problem[]) {
    this.#schema = schema;
    this.#sources = sources;
    this.#ports = ports;
    this.#problems = problems;
    this.#layers = [sources.flags, sources.environment, sources.file.options];
    this.destinationCount = sources.file.destinations?.length ?? this.#given(URL_OPTION).length;
  }

  /** The value of every option: an array for `list`, an array with an item for every destination for `destination`. */
  values(): Record<string, unknown> {
    return Object.fromEntries(this.#schema.options.map((option) => [option.name, this.#valueOf(option)]));
  }

  #valueOf({ name, spec }: Option): unknown {
    const given = this.#given(name);
    switch (spec.arity ?? 'one') {
      case 'one':
        return given.length === 0 ? spec.default : this.#parse({ name, spec }, given[0]!);
      case 'list':
        if (name === URL_OPTION) return this.#urls().map((item) => this.#parse({ name, spec }, item));
        return given.length === 0
          ? spec.default
          : given.map((item) => this.#parseListItem({ name, spec }, item));
      case 'destination':
        return this.#perDestination({ name, spec });
    }
  }

  /** The single value of an option for all destinations is parsed once, so that its problem is told once. */
  #perDestination(option: Option): Value[] {
    const parsed = new Map<Item, Value>();
    return Array.from({ length: this.destinationCount }, (_, index) => {
      const item = this.itemFor(option.name, index);
      if (item === undefined) return option.spec.default as Value;
      if (!parsed.has(item)) parsed.set(item, this.#parse(option, item));
      return parsed.get(item);
    });
  }

  /** The item that counts for a destination; undefined when its default does. An empty item leaves it to the next source. */
  itemFor(name: string, index: number): Item | undefined {
    const { flags, environment, file } = this.#sources;
    const candidates = [
      pick(flags.get(name), index),
      pick(environment.get(name), index),
      file.destinations?.[index]?.options.get(name)?.[0],
      pick(file.options.get(name), index),
    ];
    return candidates.find((item) => item !== undefined && item.text !== '');
  }

  /** The items of the strongest source that gives the option. */
  #given(name: string): readonly Item[] {
    return this.#layers.find((layer) => layer.has(name))?.get(name) ?? [];
  }

  /** One for each destination; a destination of the file without a URL has an empty one. */
  #urls(): readonly Item[] {
    const fromFile = this.#sources.file.destinations?.map(
      ({ options, where }) => options.get(URL_OPTION)?.[0] ?? { text: '', where },
    );
    return fromFile ?? this.#given(URL_OPTION);
  }

  /** Where each destination was given, with its URL. */
  destinations(): { url: string; where: string }[] {
    const { destinations } = this.#sources.file;
    return this.#urls().map(({ text, where }, index) => ({
      url: text,
      where: destinations?.[index]?.where ?? `${where}, destination ${index + 1}`,
    }));
  }

  /** Where an option was given; the flag if it was not. */
  where(name: string, index?: number): string {
    const item = index === undefined ? this.#given(name)[0] : this.itemFor(name, index);
    return item?.where ?? `flag -${name}`;
  }

  /** What was given, with secrets and the credentials of URLs taken out. */
  shown(isHidden: (name: string) => boolean, shownUrls: readonly string[]): Map<string, string> {
    const shown = new Map<string, string>();
    for (const { name, spec } of this.#schema.options) {
      const items = this.#everyItem(name);
      if (items.length === 0) continue;
      const isSecret = spec.kind === 'secret' || isHidden(name);
      const texts = items.map(({ text }) => (isSecret && text !== '' ? 'secret' : redactUrls(text)));
      const isOne = (spec.arity ?? 'one') === 'one';
      shown.set(name, name === URL_OPTION ? shownUrls.join(',') : isOne ? texts[0]! : joinCommaList(texts));
    }
    return shown;
  }

  #everyItem(name: string): readonly Item[] {
    const perDestination =
      this.#sources.file.destinations?.map(({ options }) => options.get(name)?.[0]) ?? [];
    if (!perDestination.some((item) => item !== undefined)) return this.#given(name);
    return perDestination.map((_, index) => this.itemFor(name, index) ?? { text: '', where: '' });
  }

  /** An empty item of a list means false, or no text. */
  #parseListItem(option: Option, item: Item): Value {
    return item.text === '' && option.spec.kind === 'bool' ? false : this.#parse(option, item);
  }

  /** Reports what is wrong with it and goes on with the default. */
  #parse({ name, spec }: Option, item: Item): Value {
    if (spec.kind === 'secret' && spec.notReference !== true && isReference(item.text)) {
      return this.#secretSource(item);
    }
    const parsed = parseValue(spec, item.text);
    if (parsed.ok) return parsed.value;
    const message = item.where.includes(name) ? parsed.message : `${name}: ${parsed.message}`;
    this.#problems.push({ where: item.where, message, hint: parsed.hint });
    return Array.isArray(spec.default) ? undefined : (spec.default as Value);
  }

  #secretSource({ text, where }: Item): Secret {
    const source = new SecretSource(text, where, this.#ports.clock, this.#ports.readReference);
    this.secretSources.push(source);
    return source;
  }
}

/** The item of a destination in a list of flags: its own, or the only one. */
function pick(items: readonly Item[] | undefined, index: number): Item | undefined {
  return items?.length === 1 ? items[0] : items?.[index];
}
