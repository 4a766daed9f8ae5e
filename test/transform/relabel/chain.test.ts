/** Chains of rules against an interpreter that is slow and obvious, written from the specification alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { Labels } from '../../../src/model/labels.ts';
import { chainOf, expectSeries, labelsOf, type Pairs } from './support.ts';

test('after the last rule empty labels and those that begin with __ go, and then series without labels', () => {
  expectSeries('[{target_label: x, replacement: y}]', 'm{a="",__b="c",_d="e"} -> m{_d="e",x="y"}');
  expectSeries(
    '[{target_label: __tmp, replacement: y}, {source_labels: [__tmp], target_label: x}]',
    'm -> m{x="y"}',
  );
  expectSeries(
    '[{target_label: a, replacement: ""}, {source_labels: [a], regex: "", target_label: b, replacement: was}]',
    'm{a="1"} -> m{b="was"}',
  );
  expectSeries('[]', 'm{__a="b"} -> m', '{__a="b",c=""} -> dropped', '{__name__=""} -> dropped');
  // Aggregation picks by it, and comes later.
  expectSeries('[]', 'm{__statsd_metric_type__="c",__a="b"} -> m{__statsd_metric_type__="c"}');
});

test('once no label is left nothing is added any more', () => {
  expectSeries('[{action: labeldrop, regex: .+}, {target_label: x, replacement: y}]', 'm{a="b"} -> dropped');
});

test('explaining tells each step, and how a series ended', () => {
  const steps = (yaml: string, series: string) =>
    chainOf(yaml)
      .explain(labelsOf(series))
      .map(({ rule, inLabels, outLabels, dropped }) => [
        rule,
        Labels.of(inLabels).toString(),
        dropped ? 'dropped' : Labels.of(outLabels).toString(),
      ]);
  assert.deepEqual(
    steps(
      '[{target_label: __x, replacement: y}, {action: drop, if: none}, {source_labels: [none], target_label: a}]',
      'm{a="b",c="d"}',
    ),
    [
      ['target_label: __x\nreplacement: y', 'm{a="b",c="d"}', 'm{a="b",c="d",__x="y"}'],
      ['action: drop\nif:\n  - none', 'm{a="b",c="d",__x="y"}', 'm{a="b",c="d",__x="y"}'],
      ['source_labels:\n  - none\ntarget_label: a', 'm{a="b",c="d",__x="y"}', 'm{a="",c="d",__x="y"}'],
      ['remove empty labels', 'm{a="",c="d",__x="y"}', 'm{c="d",__x="y"}'],
      [
        'remove labels that begin with __, except __name__ and __statsd_metric_type__',
        'm{c="d",__x="y"}',
        'm{c="d"}',
      ],
    ],
  );
  assert.deepEqual(steps('[{action: drop, if: m}, {target_label: a, replacement: b}]', 'm'), [
    ['action: drop\nif:\n  - m', 'm', 'dropped'],
  ]);
  assert.deepEqual(
    steps('[]', '{__x="y"}').map(([, , end]) => end),
    ['dropped'],
  );
  assert.deepEqual(steps('[]', 'm'), []);
});

/** A rule as a user writes it. */
interface Rule {
  action?: string;
  if?: string | string[];
  source_labels?: string[];
  separator?: string;
  target_label?: string;
  regex?: string | string[];
  replacement?: string;
}
type Series = [name: string, value: string][];

/** Undefined: dropped. Labels are a list of pairs; every rule makes a new one. */
function interpret(rules: readonly Rule[], series: Pairs): Series | undefined {
  let labels: Series = series.map(([name, value]) => [name, value]);
  for (const rule of rules) {
    const after = step(rule, labels);
    if (after === undefined || after.length === 0) return undefined;
    labels = after;
  }
  labels = labels.filter(
    ([name, value]) => name !== '' && value !== '' && (name === '__name__' || !name.startsWith('__')),
  );
  return labels.length === 0 ? undefined : labels;
}

const lookUp = (labels: Series, name: string) => labels.find(([other]) => other === name)?.[1] ?? '';

function withLabel(labels: Series, name: string, value: string): Series {
  const index = labels.findIndex(([other]) => other === name);
  return index < 0 ? [...labels, [name, value]] : labels.with(index, [name, value]);
}

function step(rule: Rule, labels: Series): Series | undefined {
  const action = (rule.action ?? 'replace').toLowerCase();
  if (rule.if !== undefined && ![rule.if].flat().some((selector) => selects(selector, labels))) {
    return action === 'keep' || action === 'keep_metrics' ? undefined : labels;
  }
  const text = rule.regex === undefined ? '(.*)' : [rule.regex].flat().join('|');
  const regex = text === '.*' ? '(.*)' : text;
  const whole = new RegExp(`^(?:${regex})$`, 'su');
  const anywhere = new RegExp(regex, 'gu');
  const template = rule.replacement ?? '$1';
  const sources = (rule.source_labels ?? []).map((name) => lookUp(labels, name));
  const source = sources.join(rule.separator ?? ';');
  const target = rule.target_label ?? '';
  const targetValue = lookUp(labels, target);
  const keepIf = (isKept: boolean) => (isKept ? labels : undefined);
  switch (action) {
    case 'replace': {
      const match = whole.exec(source);
      if (match === null) return labels;
      const filled = template.replace(/\{\{([^{}]*)\}\}/g, (_, name) => lookUp(labels, name));
      // What labels hold is no template when nothing is captured.
      const isText = regex === '(.*)' && !`${template}${target}`.includes('$');
      return withLabel(labels, fill(target, match), isText ? filled : fill(filled, match));
    }
    case 'replace_all': {
      const replaced = replaceAll(source, anywhere, template);
      return replaced === source ? labels : withLabel(labels, target, replaced);
    }
    case 'keep':
      return keepIf(whole.test(source));
    case 'drop':
      return keepIf(!whole.test(source));
    case 'keep_metrics':
      return keepIf(whole.test(lookUp(labels, '__name__')));
    case 'drop_metrics':
      return keepIf(!whole.test(lookUp(labels, '__name__')));
    case 'keepequal':
      return keepIf(source === targetValue);
    case 'dropequal':
      return keepIf(source !== targetValue);
    case 'keep_if_equal':
      return keepIf(new Set(sources).size === 1);
    case 'drop_if_equal':
      return keepIf(new Set(sources).size !== 1);
    case 'keep_if_contains':
      return keepIf(sources.every((part) => targetValue.includes(part)));
    case 'drop_if_contains':
      return keepIf(!sources.every((part) => targetValue.includes(part)));
    case 'labelmap': {
      let mapped = labels;
      for (const [index, [name]] of labels.entries()) {
        const match = whole.exec(name);
        if (match !== null && fill(template, match) !== name)
          mapped = withLabel(mapped, fill(template, match), mapped[index]![1]);
      }
      return mapped;
    }
    case 'labelmap_all':
      return labels.map(([name, value]) => [replaceAll(name, anywhere, template), value]);
    case 'labeldrop':
      return labels.filter(([name]) => !whole.test(name));
    case 'labelkeep':
      return labels.filter(([name]) => whole.test(name));
    case 'lowercase':
      return withLabel(labels, target, source.toLowerCase());
    case 'uppercase':
      return withLabel(labels, target, source.toUpperCase());
    default:
      throw new Error(action);
  }
}

function fill(template: string, match: readonly (string | undefined)[]): string {
  return template.replace(/\$(\$|\w+|\{\w+\})/g, (_, name: string) => {
    if (name === '$') return '$';
    const number = name.replace(/[{}]/g, '');
    return /^\d+$/.test(number) ? (match[Number(number)] ?? '') : '';
  });
}

/** As in Go: an empty match right behind another match is none; JavaScript counts it. */
function replaceAll(text: string, regex: RegExp, template: string): string {
  let end = -1;
  return text.replace(regex, (...found) => {
    const groups = found.slice(
      0,
      found.findIndex((one) => typeof one === 'number'),
    ) as string[];
    const at = found.find((one) => typeof one === 'number') as number;
    const isSkipped = groups[0] === '' && at === end;
    end = at + groups[0]!.length;
    return isSkipped ? '' : fill(template, groups);
  });
}

/** Of the selectors made below: `name{label op "value",…}`, where values have no quotes and braces. */
function selects(selector: string, labels: Series): boolean {
  const [, metric, inside] = /^([a-z]*)(?:\{(.*)\})?$/.exec(selector)!;
  if (metric !== '' && lookUp(labels, '__name__') !== metric) return false;
  return (inside ?? '').split(' or ').some((group) =>
    [...group.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].every(([, name, operator, value]) => {
      const actual = lookUp(labels, name!);
      const isEqual = operator!.includes('~')
        ? new RegExp(`^(?:${value})$`, 'su').test(actual)
        : actual === value;
      return operator!.startsWith('!') ? !isEqual : isEqual;
    }),
  );
}

const label = fc.constantFrom('__name__', 'a', 'b', 'ab', 'job', '__tmp', 'none');
const value = fc.constantFrom('', 'a', 'b', 'ab', 'aab', 'A', 'a.b', 'a;b', 'x\ny', '$1', 'b-é');
const regex = fc.constantFrom(
  '.*',
  '(.*)',
  '.+',
  '(.+)',
  'a',
  'a|b',
  '(a|ab)',
  'a.*',
  '(.*)b',
  'a(.*)b',
  '.*a.*',
  '(.+)a(.*)',
  '([ab])([^;]*)',
  '(a)|(b)',
  'a+',
  '',
  '(;)',
  '\\.',
  '__name__|a',
  '[^a-z]',
  '(.)',
);
const template = fc.constantFrom(
  '$1',
  '$0',
  '$2$1',
  'x',
  '',
  '$1x',
  '<$1>',
  '$\u007b1}x',
  '$$',
  '$',
  '{{a}}',
  '{{job}}-$1',
  '{{none',
  'a',
  '__tmp',
  'job',
);
const selector = fc.constantFrom(
  'a',
  'ab{job="a"}',
  '{a=""}',
  '{a!=""}',
  '{a=~"a.*"}',
  '{b!~"a|b"}',
  '{a="a" or b="b"}',
  '{job=~".+",a!="b"}',
  '{none=~".*"}',
);
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });
const sourceLabels = fc.array(label, { minLength: 1, maxLength: 3 });
const common = {
  if: maybe(fc.oneof(selector, fc.array(selector, { minLength: 1, maxLength: 2 }))),
  separator: maybe(fc.constantFrom('', ',')),
};
const regexes = maybe(fc.oneof(regex, fc.array(regex, { minLength: 2, maxLength: 3 })));
const named = (...names: string[]) => fc.constantFrom(...names);

const rule: fc.Arbitrary<Rule> = fc
  .oneof(
    fc.record({
      action: maybe(named('replace', 'Replace')),
      ...common,
      source_labels: maybe(sourceLabels),
      target_label: fc.oneof(label, fc.constantFrom('$1', 'x_$1')),
      regex: regexes,
      replacement: maybe(template),
    }),
    fc.record({
      action: named('replace_all'),
      ...common,
      source_labels: sourceLabels,
      target_label: label,
      regex: regexes,
      replacement: maybe(template),
    }),
    fc.record({ action: named('keep', 'drop'), ...common, source_labels: sourceLabels, regex: regexes }),
    fc.record({ action: named('keep_metrics', 'drop_metrics'), ...common, regex }),
    fc.record({
      action: named(
        'keepequal',
        'dropequal',
        'keep_if_contains',
        'drop_if_contains',
        'lowercase',
        'uppercase',
      ),
      ...common,
      source_labels: sourceLabels,
      target_label: label,
    }),
    fc.record({
      action: named('keep_if_equal', 'drop_if_equal'),
      ...common,
      source_labels: fc.array(label, { minLength: 2, maxLength: 3 }),
    }),
    fc.record({
      action: named('labelmap', 'labelmap_all', 'labeldrop', 'labelkeep'),
      ...common,
      regex: regexes,
      replacement: maybe(template),
    }),
  )
  .map((one) => Object.fromEntries(Object.entries(one).filter(([, field]) => field !== undefined)) as Rule)
  // keep_metrics needs more than an empty regex.
  .filter((one) => !(one.action?.endsWith('_metrics') && one.regex === '' && one.if === undefined));

const series = fc.uniqueArray(fc.tuple(label, value), {
  minLength: 1,
  maxLength: 6,
  selector: ([name]) => name,
});

test('random rules do to random series what the interpreter does', () => {
  let kept = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      fc.array(series, { minLength: 1, maxLength: 6 }),
      (rules, all) => {
        const chain = chainOf(stringify(rules));
        // Twice, so that what is remembered is used.
        for (const pairs of [...all, ...all]) {
          const labels = Labels.of(pairs);
          const explained = chain.explain(labels).at(-1);
          const expected = interpret(rules, pairs);
          const actual = chain.apply(labels) ? labels.pairs() : undefined;
          assert.deepEqual(actual, expected, `${stringify(rules)} on ${Labels.of(pairs)}`);
          if (explained !== undefined)
            assert.deepEqual(explained.dropped ? undefined : explained.outLabels, expected);
          if (expected !== undefined) kept++;
          for (const [index, origin] of actual === undefined ? [] : labels.origins.entries()) {
            if (origin >= 0) assert.deepEqual([labels.names[index], labels.values[index]], pairs[origin]);
          }
        }
      },
    ),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 3_000) },
  );
  assert.ok(kept > 5_000, `only ${kept} series were kept`);
});

test('a label that did not change keeps its origin', () => {
  const labels = labelsOf('m{a="1",b="2",c="3"}');
  const chain = chainOf(
    '[{source_labels: [a], target_label: b}, {action: labeldrop, regex: a}, {target_label: c, replacement: "3"}]',
  );
  assert.ok(chain.apply(labels));
  assert.deepEqual([labels.toString(), labels.origins], ['m{b="1",c="3"}', [0, -1, 3]]);
});
