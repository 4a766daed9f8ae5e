/**
 * `sluice test FILE…`: unit tests for rules and routing, in YAML: what goes in, and what each destination must get of it.
 * Needs neither a running relay nor destinations.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Node } from 'yaml';
import { Decider } from '../engine/decider.ts';
import { type ExplainedSeries, explainSeries } from '../explainer.ts';
import type { Labels } from '../model/labels.ts';
import { parseSeriesLine } from '../model/series-line.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { yaml } from '../util/yaml.ts';
import type { Command, CommandContext } from './command.ts';
import { type Offline, readOffline } from './offline.ts';

const DROPPED = 'dropped';
const summary = 'Check what rules and routing make of series: unit tests in YAML files.';
const usage = `\
sluice test FILE…: ${summary}
A file has the configuration, as a file beside it or as flags, and tests:

  config: sluice.yaml              # or: flags: ["-remoteWrite.url=http://a/", "-remoteWrite.relabelConfig=rules.yaml"]
  tests:
    - name: ports are taken away   # may be left out
      input: up{instance="a:9100"}
      expect: up{instance="a"}     # at every destination
    - input: debug_total{job="x"}
      expect: dropped
    - input: up{job="api"}
      expect:                      # by the names of destinations; those that are not named may get anything
        long-term: up{job="api",store="long"}
        scratch: dropped           # or: it belongs to other shards

Exits with 1 when something is not as expected.
`;

interface Case {
  readonly where: string;
  readonly name: string;
  readonly input: Labels;
  /** By destination; `undefined`: it gets nothing. The key `*` stands for all. */
  readonly expected: ReadonlyMap<string, Labels | undefined>;
}

export const test: Command = {
  summary,
  async run(context) {
    if (context.args.length === 0) {
      context.stdout(usage);
      return 0;
    }
    let failed = 0;
    for (const file of context.args) failed += await runFile(file, context);
    return failed === 0 ? 0 : 1;
  },
};

/** The number of failures. */
async function runFile(file: string, { env, stdout, stderr }: CommandContext): Promise<number> {
  try {
    const { args, cases } = readTests(await readFile(file, 'utf8'), file);
    const offline = await readOffline(args, env);
    const decider = new Decider(offline.source.shape);
    const failures = cases.flatMap((one) => failuresOf(one, offline, decider));
    for (const failure of failures) stdout(failure);
    stdout(
      `${file}: ${cases.length} tests, ${failures.length === 0 ? 'all pass' : `${failures.length} fail`}\n`,
    );
    return failures.length;
  } catch (error) {
    stderr(`sluice test: ${file}: ${messageOf(error)}\n`);
    return 1;
  }
}

function failuresOf({ where, name, input, expected }: Case, { source }: Offline, decider: Decider): string[] {
  const names = source.destinations.map((destination) => destination.name);
  const unknown = [...expected.keys()].filter((key) => key !== '*' && !names.includes(key));
  if (unknown.length > 0) {
    return [`${where}: there is no destination ${unknown.join(', ')}; there are ${names.join(', ')}\n`];
  }
  const explained = explainSeries(input, source, decider);
  const wrong = explained.destinations.flatMap((destination) => {
    if (!expected.has('*') && !expected.has(destination.name)) return [];
    const wanted = expected.has('*') ? expected.get('*') : expected.get(destination.name);
    const got = destination.form?.labels;
    if (keyOf(got) === keyOf(wanted)) return [];
    return [`  at ${destination.name} (${destination.why}):\n${difference(wanted, got)}`];
  });
  if (wrong.length === 0) return [];
  return [`FAIL ${where}: ${name}\n  input      ${input}\n${wrong.join('')}${stepsOf(explained)}`];
}

/** Sets of labels are the same in any order. */
function keyOf(labels: Labels | undefined): string {
  return labels === undefined ? DROPPED : JSON.stringify(labels.pairs().sort());
}

function difference(wanted: Labels | undefined, got: Labels | undefined): string {
  const lines = [`    expected ${wanted ?? DROPPED}\n    got      ${got ?? DROPPED}\n`];
  if (wanted === undefined || got === undefined) return lines.join('');
  for (const [sign, from, to] of [
    ['-', wanted, got],
    ['+', got, wanted],
  ] as const) {
    for (const [name, value] of from.pairs()) {
      if (to.get(name) !== value) lines.push(`      ${sign} ${name}=${JSON.stringify(value)}\n`);
    }
  }
  return lines.join('');
}

/** The rules that did something. */
function stepsOf({ explanation }: ExplainedSeries): string {
  const active = explanation.steps.filter(({ inLabels, outLabels, dropped }) => {
    return dropped || JSON.stringify(inLabels) !== JSON.stringify(outLabels);
  });
  return active
    .map(
      ({ rule, dropped }) => `  ${dropped ? 'dropped by' : 'changed by'} {${rule.replaceAll('\n', ', ')}}\n`,
    )
    .join('');
}

function readTests(text: string, file: string): { readonly args: string[]; readonly cases: readonly Case[] } {
  const lines = new (yaml().LineCounter)();
  const document = yaml().parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const placeOf = (node: Node | null | undefined) => {
    const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
    return `${file}:${line}:${col}`;
  };
  const fail = (node: Node | null | undefined, message: string): never => {
    throw new SluiceError('bad_tests', `cannot read the tests at ${placeOf(node)}: ${message}`);
  };
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new SluiceError('bad_tests', `cannot read the tests at ${file}:${line}:${col}: ${error.message}`);
  }
  const root = document.contents;
  if (!yaml().isMap(root)) return fail(root, 'write config: (or flags:) and tests:');
  for (const { key } of root.items) {
    const name = String((key as { value?: unknown }).value);
    if (!['config', 'flags', 'tests'].includes(name)) fail(key as Node, `there is no key ${name}`);
  }
  const list = root.get('tests', true) as unknown;
  if (!yaml().isSeq(list)) return fail(root, 'tests: is a list of tests');
  const series = (node: unknown, isResult: boolean): Labels | undefined => {
    if (!yaml().isScalar(node)) return fail(node as Node, 'write a series, like up{job="a"}');
    if (isResult && (node.value === DROPPED || node.value === null)) return undefined;
    return (
      parseSeriesLine(String(node.value).trim()) ??
      fail(node, `${JSON.stringify(node.value)} is no series; write it like up{job="a"}`)
    );
  };
  const cases = list.items.map((item): Case => {
    if (!yaml().isMap(item)) return fail(item as Node, 'a test is a mapping of input: and expect:');
    for (const { key } of item.items) {
      const name = String((key as { value?: unknown }).value);
      if (!['name', 'input', 'expect'].includes(name)) fail(key as Node, `a test has no key ${name}`);
    }
    if (!item.has('expect')) fail(item, 'the test does not say what it expects');
    const expect = item.get('expect', true) as unknown;
    const expected = new Map<string, Labels | undefined>();
    if (yaml().isMap(expect)) {
      for (const { key, value } of expect.items) {
        expected.set(String((key as { value?: unknown }).value), series(value, true));
      }
    } else expected.set('*', series(expect, true));
    const input = series(item.get('input', true), false)!;
    return { where: placeOf(item), name: String(item.get('name') ?? input), input, expected };
  });
  return { args: argumentsOf(root.toJSON() as Readonly<Record<string, unknown>>, file), cases };
}

/** As on the command line; a configuration file is looked for beside the tests. */
function argumentsOf({ config, flags }: Readonly<Record<string, unknown>>, file: string): string[] {
  const args = Array.isArray(flags) ? flags.map(String) : [];
  if (typeof config === 'string') args.push(`-config=${path.resolve(path.dirname(file), config)}`);
  if (args.length > 0) return args;
  throw new SluiceError('bad_tests', `${file} says neither config: nor flags:`);
}
