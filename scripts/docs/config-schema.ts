/** docs/config.schema.json: the YAML file for editors (JSON Schema 2020-12). */
import type { Option, Schema } from '../../src/config/collect.ts';
import { NAME } from '../../src/config/identity.ts';
import type { OptionSpec } from '../../src/config/option.ts';
import { flagOnly } from '../../src/config/options.ts';
import { defaultTextOf } from '../../src/config/value.ts';

type Json = Readonly<Record<string, unknown>>;

const DESTINATION_PREFIX = 'remoteWrite.';
const VARIABLE = '%\\{\\w+\\}';

export function configSchema(schema: Schema): Json {
  const inFile = schema.options.filter(({ name }) => !flagOnly.includes(name) && name !== 'config');
  const isOfDestination = ({ name, spec }: Option) =>
    spec.arity === 'destination' || name === 'remoteWrite.url';
  const elsewhere = ['remoteWrite.url', 'remoteWrite.name'];
  const top = inFile.filter(({ name }) => !elsewhere.includes(name));
  const destination = objectOf(inFile.filter(isOfDestination), DESTINATION_PREFIX);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of sluice',
    ...objectOf(top, '', {
      destinations: {
        description: 'Where to write to; each destination gets all data.',
        type: 'array',
        items: { ...destination, required: ['url'] },
      },
    }),
    patternProperties: { '^x-': { description: 'Not read: a place for anchors.' } },
  };
}

/** A mapping with these options, whose names begin with `prefix`: nested and dotted. */
function objectOf(options: readonly Option[], prefix: string, more: Json = {}): Json {
  const properties: Record<string, unknown> = {};
  const groups = new Map<string, Option[]>();
  for (const option of options) {
    const key = option.name.slice(prefix.length);
    properties[key] = schemaOf(option);
    const dot = key.indexOf('.');
    if (dot >= 0) groups.set(key.slice(0, dot), [...(groups.get(key.slice(0, dot)) ?? []), option]);
  }
  for (const [key, inside] of groups) {
    const nested = objectOf(inside, `${prefix}${key}.`);
    const own = properties[key];
    properties[key] = own === undefined ? nested : { anyOf: [own, nested] };
  }
  return { type: 'object', additionalProperties: false, properties: { ...more, ...properties } };
}

function schemaOf({ name, spec }: Option): Json {
  const isUrl = name === 'remoteWrite.url';
  const single = singleOf(name, spec);
  const byDefault = defaultTextOf(spec);
  const description = `${spec.summary}${byDefault === '' ? '' : ` Default: ${byDefault}.`}`;
  if (spec.arity !== 'list' || isUrl) return { description, ...single };
  return { description, anyOf: [single, { type: 'array', items: single }] };
}

function singleOf(name: string, spec: OptionSpec): Json {
  if (name === 'remoteWrite.name') return { type: 'string', pattern: NAME.source };
  if (spec.choices !== undefined) return { enum: spec.choices };
  switch (spec.kind) {
    case 'bool':
      return { anyOf: [{ type: 'boolean' }, { type: 'string', pattern: `^${VARIABLE}$` }] };
    case 'int':
      return number('integer', spec);
    case 'float':
      return number('number', spec);
    case 'duration':
      return {
        type: ['string', 'integer'],
        pattern: `^([-+]?(\\d*\\.?\\d+(ns|us|µs|μs|ms|s|m|h|d|w|y))+|0|${VARIABLE})$`,
      };
    case 'bytes':
      return { type: ['string', 'number'], pattern: `^(\\d*\\.?\\d+([kKmMgGtT][iI]?[bB])?|${VARIABLE})$` };
    default:
      return { type: ['string', 'number', 'boolean'] };
  }
}

function number(type: 'integer' | 'number', { min, max }: OptionSpec): Json {
  const bounds = {
    ...(min === undefined ? {} : { minimum: min }),
    ...(max === undefined ? {} : { maximum: max }),
  };
  return {
    anyOf: [
      { type, ...bounds },
      { type: 'string', pattern: `^${VARIABLE}$` },
    ],
  };
}
