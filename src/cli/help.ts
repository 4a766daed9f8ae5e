/** The text of -help. */
import type { Schema } from '../config/collect.ts';
import type { OptionSpec } from '../config/option.ts';
import { defaultTextOf } from '../config/value.ts';
import { wrap } from './wrap.ts';

const WIDTH = 100;
const INDENT = '        ';

const INTRODUCTION = `\
sluice takes metrics by Prometheus remote write and relays them to every destination. Start it with
  sluice -remoteWrite.url=http://victoria-metrics:8428/api/v1/write      or      sluice -config=FILE
then let Prometheus write to http://HOST:8429/api/v1/write and look at http://HOST:8429/

Flags have one or two dashes: -flag=value or -flag value; booleans -flag or -flag=false.
(each): one item for each -remoteWrite.url, separated by commas or by giving the flag again; a single item
serves all. (list): commas or repeated flags. Quote an item that has commas. A value can hold %{ENV_VAR}.
Sizes: 4096, 8MiB (1024), 8MB (1000). Durations: 500ms, 10s, 1h30m, 7d. Files: docs/configuration.md.
`;

/** Everything about flags and commands, wrapped for a terminal. */
export function helpText(schema: Schema, commands: Readonly<Record<string, { summary: string }>>): string {
  const groups = schema.groups.map(({ title, options }) =>
    [`${title}:`, ...Object.entries(options).map(([name, spec]) => flagText(name, spec))].join('\n'),
  );
  const list = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(INDENT.length - 2)}${summary}`,
  );
  return [
    INTRODUCTION,
    ...groups.map((group) => `${group}\n`),
    `Commands (sluice COMMAND):\n${list.join('\n')}\n`,
  ].join('\n');
}

const arityMarks = { one: '', list: ' (list)', destination: ' (each)' } as const;

function flagText(name: string, spec: OptionSpec): string {
  const placeholder = placeholderOf(spec);
  const head = `  -${name}${placeholder === '' ? '' : `=${placeholder}`}${arityMarks[spec.arity ?? 'one']}`;
  const choices = spec.choices === undefined ? '' : ` One of ${spec.choices.join(', ')}.`;
  const byDefault = defaultTextOf(spec);
  const text = `${spec.summary}${choices}${byDefault === '' ? '' : ` (default ${byDefault})`}`;
  return [head, ...wrap(text, WIDTH - INDENT.length).map((line) => INDENT + line)].join('\n');
}

const placeholders = {
  string: 'text',
  secret: 'secret',
  bool: '',
  int: 'int',
  float: 'number',
  duration: 'duration',
  bytes: 'size',
} as const;

/** What stands for a value; empty for booleans, which need none. */
export function placeholderOf(spec: OptionSpec): string {
  return spec.placeholder ?? placeholders[spec.kind];
}
