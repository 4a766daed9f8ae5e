/** What each action says that it looks at; whether that is enough is tested where it is used, in test/engine/looked.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readsOfRules } from '../../../src/transform/relabel/reads.ts';
import { parseRules } from '../../../src/transform/relabel/rule.ts';

const candidates = ['__name__', 'a', 'b', 'c', 'job'];

/** Labels whose values count, and those that are only tested, with the values of `x` and `y` that pass. */
function readsOf(yaml: string): { values: string[]; tests: Record<string, string> } | undefined {
  const all = readsOfRules(parseRules(yaml, 'rules').rules);
  if (all === undefined) return undefined;
  const tests: Record<string, string> = {};
  for (const { label, test } of all.flatMap((one) => one.tests ?? [])) {
    tests[label] = (tests[label] ?? '') + ['x', 'y'].filter(test).join('');
  }
  const counts = (name: string) => all.some((one) => one.values.includes(name) || one.matches?.(name));
  return { values: candidates.filter(counts), tests };
}

test('rules read the labels that they are made of and those that they write', () => {
  const cases: [string, string[], Record<string, string>][] = [
    ['{target_label: a, replacement: x}', ['a'], {}],
    ['{source_labels: [a], target_label: b}', ['a', 'b'], {}],
    ['{source_labels: [a], regex: x, target_label: b, replacement: y}', ['b'], { a: 'x' }],
    ['{source_labels: [a, b], regex: x, target_label: c, replacement: y}', ['a', 'b', 'c'], {}],
    ['{action: replace_all, source_labels: [a], regex: x, target_label: b, replacement: y}', ['a', 'b'], {}],
    ['{action: keep, source_labels: [a], regex: y}', [], { a: 'y' }],
    ['{action: drop, source_labels: [a, b], regex: x}', ['a', 'b'], {}],
    ['{action: drop, if: \'{a=~"x|y",job!="x"}\'}', [], { a: 'xy', job: 'y' }],
    ['{action: drop_metrics, regex: x}', [], { __name__: 'x' }],
    ['{action: keep_metrics, regex: y}', [], { __name__: 'y' }],
    ['{action: keepequal, source_labels: [a], target_label: b}', ['a', 'b'], {}],
    ['{action: drop_if_equal, source_labels: [a, b]}', ['a', 'b'], {}],
    ['{action: keep_if_contains, source_labels: [a], target_label: b}', ['a', 'b'], {}],
    ['{action: hashmod, source_labels: [a], target_label: b, modulus: 2}', ['a', 'b'], {}],
    ['{action: uppercase, source_labels: [a], target_label: b}', ['a', 'b'], {}],
    ['{action: labelmap, regex: (a|b), replacement: k_$1}', ['a', 'b'], {}],
    ['{action: labelmap_all, regex: o, replacement: _}', ['job'], {}],
    ['{action: labeldrop, regex: a}', [], {}],
    ['{action: labelkeep, regex: a}', [], {}],
    ['{action: graphite, match: "*", labels: {a: $1}}', ['__name__', 'a'], {}],
  ];
  for (const [yaml, values, tests] of cases) assert.deepEqual(readsOf(`- ${yaml}`), { values, tests }, yaml);
});

test('rules that make the name of their target may read any value', () => {
  assert.equal(readsOf('- {source_labels: [a], target_label: n_$1}'), undefined);
  assert.equal(readsOf('- {target_label: a, replacement: "{{b}}"}'), undefined);
  assert.deepEqual(readsOf(''), { values: [], tests: {} });
});
