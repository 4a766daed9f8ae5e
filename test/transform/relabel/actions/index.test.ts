/** Every relabel action: what it does to a series, and what a rule needs to be one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../../src/model/labels.ts';
import { actions } from '../../../../src/transform/relabel/actions/index.ts';
import { RelabelChain } from '../../../../src/transform/relabel/chain.ts';
import { chainOf, expectSeries, problemsOf } from '../support.ts';

test('replace sets the target, and an empty value removes it', () => {
  expectSeries(
    '[{source_labels: [foo], target_label: xxx}]',
    '{xxx="yyy"} -> dropped',
    '{a="b",xxx="yyy"} -> {a="b"}',
  );
  expectSeries(
    '[{source_labels: [xxx, foo], target_label: bar, replacement: a-$1-b}]',
    '{xxx="yyy"} -> {xxx="yyy",bar="a-yyy;-b"}',
  );
  expectSeries(
    '[{source_labels: [xxx, foo], target_label: bar-$1, replacement: v}]',
    '{xxx="yyy"} -> {xxx="yyy",bar-yyy;="v"}',
  );
  expectSeries(
    '[{action: RePlace, target_label: x, replacement: y}]',
    '{a="b"} -> {a="b",x="y"}',
    '{x="1"} -> {x="y"}',
  );
  expectSeries(
    '[{source_labels: [a], regex: b, target_label: x, replacement: y}]',
    '{a="b"} -> {a="b",x="y"}',
    '{a="bb"} -> {a="bb"}',
  );
  expectSeries(
    '[{source_labels: [a, b], separator: "", regex: "(.)(.)", target_label: x, replacement: "$2$1"}]',
    '{a="1",b="2"} -> {a="1",b="2",x="21"}',
  );
  expectSeries('[{regex: foo, target_label: x, replacement: y}]', '{a="b"} -> {a="b"}');
  expectSeries(
    '[{source_labels: [a], regex: "foo\\\\$$", target_label: x, replacement: y}]',
    '{a="foo$"} -> {a="foo$",x="y"}',
    '{a="foo"} -> {a="foo"}',
  );
});

test('replace puts labels into the replacement before groups', () => {
  const rule =
    '[{source_labels: [baz], regex: a(.+), target_label: x, replacement: "{{__name__}}.{{foo}}.$1"}]';
  expectSeries(
    rule,
    'qwe{foo="bar",baz="aaa"} -> qwe{foo="bar",baz="aaa",x="qwe.bar.aa"}',
    '{baz="aaa"} -> {baz="aaa",x="..aa"}',
  );
  expectSeries(rule, 'qwe{baz="a"} -> qwe{baz="a"}');
  expectSeries('[{target_label: x, replacement: "{{a}}-{{b"}]', '{a="1"} -> {a="1",x="1-{{b"}');
  expectSeries('[{target_label: x, replacement: "{{a}}"}]', '{a="$1"} -> {a="$1",x="$1"}');
  expectSeries(
    '[{source_labels: [b], target_label: x, replacement: "{{a}}$1"}]',
    '{a="$1",b="2"} -> {a="$1",b="2",x="22"}',
  );
});

test('replace_all replaces every match, and writes the target only then', () => {
  expectSeries(
    '[{action: replace_all, source_labels: [xxx, foo], regex: "(;)", replacement: -$1-, target_label: xxx}]',
    '{xxx="y;y"} -> {xxx="y-;-y-;-"}',
  );
  expectSeries(
    '[{action: replace_all, source_labels: [a], regex: "\\\\.", replacement: _, target_label: b}]',
    '{a="x"} -> {a="x"}',
    '{a="x.y.z"} -> {a="x.y.z",b="x_y_z"}',
  );
  expectSeries(
    '[{action: replace_all, source_labels: [a], regex: ^b, replacement: c, target_label: a}]',
    '{a="bb"} -> {a="cb"}',
  );
  expectSeries(
    '[{action: replace_all, source_labels: [a], replacement: "<$1>", target_label: a}]',
    '{a="bb"} -> {a="<bb>"}',
  );
});

test('keep and drop go by the joined source', () => {
  expectSeries(
    '[{action: keep, source_labels: [a, b], regex: x;y}]',
    '{a="x",b="y"} -> {a="x",b="y"}',
    '{a="x"} -> dropped',
  );
  expectSeries(
    '[{action: drop, source_labels: [a], regex: x.*}]',
    '{a="x1"} -> dropped',
    '{a="1x"} -> {a="1x"}',
  );
  expectSeries('[{action: keep, source_labels: [a]}]', '{b="x"} -> {b="x"}');
  expectSeries('[{action: drop, source_labels: [a]}]', '{b="x"} -> dropped');
  expectSeries('[{action: drop, source_labels: [a], regex: (.*)}]', '{b="x"} -> dropped');
  expectSeries('[{action: keep, source_labels: [a], regex: ""}]', '{b="x"} -> {b="x"}', '{a="x"} -> dropped');
});

test('keep_metrics and drop_metrics go by the metric name', () => {
  expectSeries(
    '[{action: keep_metrics, regex: [foo, bar.+]}]',
    'foo{a="b"} -> foo{a="b"}',
    'bar1 -> bar1',
    'bar -> dropped',
    '{a="b"} -> dropped',
  );
  expectSeries(
    '[{action: drop_metrics, regex: foo|bar}]',
    'foo{a="b"} -> dropped',
    'foo1 -> foo1',
    '{a="b"} -> {a="b"}',
  );
});

test('if: keep and keep_metrics drop what it does not match, every other action passes that on', () => {
  expectSeries('[{action: keep, if: "foo{a=\'b\'}"}]', 'foo{a="b"} -> foo{a="b"}', 'foo{a="c"} -> dropped');
  expectSeries('[{action: keep_metrics, if: foo}]', 'foo -> foo', 'bar -> dropped');
  expectSeries('[{action: drop_metrics, if: foo}]', 'foo -> dropped', 'bar -> bar');
  expectSeries(
    '[{action: drop, if: [foo, \'{a="b"}\']}]',
    'foo{x="y"} -> dropped',
    'bar{a="b"} -> dropped',
    'bar{a="c"} -> bar{a="c"}',
  );
  expectSeries('[{if: foo, target_label: x, replacement: y}]', 'foo -> foo{x="y"}', 'bar -> bar');
  expectSeries('[{if: foo, action: labeldrop, regex: a}]', 'foo{a="1"} -> foo', 'bar{a="1"} -> bar{a="1"}');
  expectSeries(
    '[{if: foo, action: keepequal, source_labels: [a], target_label: b}]',
    'foo{a="1"} -> dropped',
    'bar{a="1"} -> bar{a="1"}',
  );
});

test('keepequal and dropequal compare the joined source with the target', () => {
  expectSeries(
    '[{action: keepequal, source_labels: [a], target_label: b}]',
    '{a="1",b="1"} -> {a="1",b="1"}',
    '{a="1",b="2"} -> dropped',
    '{c="1"} -> {c="1"}',
  );
  expectSeries(
    '[{action: dropequal, source_labels: [a, b], target_label: c}]',
    '{a="1",b="2",c="1;2"} -> dropped',
    '{a="1"} -> {a="1"}',
  );
});

test('keep_if_equal and drop_if_equal compare the sources, and two that are missing are equal', () => {
  expectSeries(
    '[{action: keep_if_equal, source_labels: [foo, bar]}]',
    '{foo="1",bar="1"} -> {foo="1",bar="1"}',
    '{foo="1"} -> dropped',
    '{x="y"} -> {x="y"}',
  );
  expectSeries(
    '[{action: drop_if_equal, source_labels: [foo, bar]}]',
    '{x="y"} -> dropped',
    '{foo="1",bar="1"} -> dropped',
    '{foo="1",bar="2"} -> {foo="1",bar="2"}',
  );
  expectSeries(
    '[{action: drop_if_equal, source_labels: [a, b, c]}]',
    '{a="1",b="1",c="2"} -> {a="1",b="1",c="2"}',
    '{a="1",b="1",c="1"} -> dropped',
  );
});

test('keep_if_contains and drop_if_contains look for every source value in the target', () => {
  expectSeries(
    '[{action: keep_if_contains, source_labels: [bar], target_label: foo}]',
    '{bar="aaa"} -> dropped',
    '{foo="aaa"} -> {foo="aaa"}',
    '{x="y"} -> {x="y"}',
  );
  expectSeries(
    '[{action: drop_if_contains, source_labels: [a, b], target_label: c}]',
    '{a="1",b="2",c="x2y1"} -> dropped',
    '{a="1",b="3",c="x2y1"} -> {a="1",b="3",c="x2y1"}',
  );
});

test('hashmod is xxhash64', () => {
  expectSeries(
    '[{action: hashmod, source_labels: [foo], target_label: h, modulus: 123}]',
    '{a="b"} -> {a="b",h="81"}',
    '{foo="yyy"} -> {foo="yyy",h="73"}',
  );
  expectSeries(
    '[{action: hashmod, source_labels: [foo], target_label: h, modulus: 18446744073709551615}]',
    '{a="b"} -> {a="b",h="17241709254077376921"}',
  );
});

test('labelmap copies, labelmap_all renames', () => {
  expectSeries(
    '[{action: labelmap, regex: foo(.+), replacement: $1-x}]',
    '{foobar="aaa"} -> {foobar="aaa",bar-x="aaa"}',
    '{foo="1"} -> {foo="1"}',
  );
  expectSeries('[{action: labelmap, regex: foo_(.+)}]', '{foo_a="1",a="2"} -> {foo_a="1",a="1"}');
  expectSeries('[{action: labelmap}]', '{a="1"} -> {a="1"}');
  expectSeries(
    '[{action: labelmap_all, regex: "\\\\.", replacement: _}]',
    'm{a.b.c="1",a_b_c="2"} -> m{a_b_c="1",a_b_c="2"}',
  );
  expectSeries('[{action: labelmap_all, regex: __name__, replacement: n}]', 'm{a="1"} -> {n="m",a="1"}');
});

test('labeldrop and labelkeep go by names, and that of the metric is one', () => {
  expectSeries(
    '[{action: labeldrop, regex: [a, b.*]}]',
    'm{a="1",b2="2",c="3"} -> m{c="3"}',
    '{a="1"} -> dropped',
  );
  expectSeries('[{action: labelkeep, regex: a|b}]', 'm{a="1",c="3"} -> {a="1"}', 'm{c="3"} -> dropped');
  expectSeries('[{action: labelkeep, regex: __name__|a}]', 'm{a="1",c="3"} -> m{a="1"}');
  expectSeries('[{action: labeldrop}]', 'm -> dropped');
});

test('lowercase and uppercase change each code point alone, as Go does', () => {
  expectSeries(
    '[{action: lowercase, source_labels: [a], target_label: a}]',
    '{a="ÄbC"} -> {a="äbc"}',
    '{a="ΟΔΟΣ"} -> {a="οδοσ"}',
    '{a="İ"} -> {a="i"}',
  );
  expectSeries(
    '[{action: uppercase, source_labels: [a, b], target_label: c}]',
    '{a="aß",b="ŉ"} -> {a="aß",b="ŉ",c="Aß;ŉ"}',
    '{a="ᾳ𐐨"} -> {a="ᾳ𐐨",c="ᾼ𐐀;"}',
  );
});

test('graphite takes labels out of dotted names', () => {
  const rule =
    '[{action: graphite, match: "foo.*.baz", labels: {job: "a-$1-$\u007b1}x", __name__: "n_$0", x: "$2 $\u007b7}"}}]';
  expectSeries(rule, 'foo.bar.baz -> n_foo.bar.baz{job="a-bar-barx",x="$2 $\u007b7}"}');
  expectSeries(
    rule,
    'foo.bar.bazz -> foo.bar.bazz',
    'foo.a.b.baz -> foo.a.b.baz',
    'x -> x',
    '{a="b"} -> {a="b"}',
  );
  const match = (template: string) => `[{action: graphite, match: "${template}", labels: {m: "<$1|$2>"}}]`;
  expectSeries(match('*'), 'a.b -> a.b', 'ab -> ab{m="<ab|$2>"}');
  expectSeries(match('**'), 'a.b -> a.b', 'ab -> ab');
  expectSeries(match('*.*'), 'a.b -> a.b{m="<a|b>"}', 'a. -> a.{m="<a|>"}', 'a -> a');
  expectSeries(match('a*c'), 'abc -> abc{m="<b|$2>"}', 'ac -> ac{m="<|$2>"}', 'abcbc -> abcbc');
  expectSeries(match('abc'), 'abc -> abc{m="<$1|$2>"}', 'abcd -> abcd');
});

test('each action says what a rule lacks and what it must not have', () => {
  const needs = (rule: string) =>
    problemsOf(`[{${rule}}]`).map((line) => /(?:needs|takes no) \S+(?=;)/.exec(line)?.[0] ?? line);
  const source = 'source_labels: [a, b]';
  const cases: [rule: string, ...wrong: string[]][] = [
    ['action: replace', 'needs target_label'],
    ['target_label: ""', 'needs target_label'],
    ['action: replace_all', 'needs source_labels', 'needs target_label'],
    ['action: keep', 'needs source_labels'],
    ['action: drop, source_labels: []', 'needs source_labels'],
    ['action: keep, if: a'],
    ['action: keep_metrics', 'needs regex'],
    ['action: drop_metrics, regex: ""', 'needs regex'],
    [`action: drop_metrics, regex: a, ${source}`, 'takes no source_labels'],
    ['action: keepequal', 'needs target_label'],
    [`action: dropequal, ${source}, target_label: a, regex: b`, 'takes no regex'],
    [
      `action: keep_if_equal, ${source}, target_label: a, regex: b`,
      'takes no target_label',
      'takes no regex',
    ],
    ['action: drop_if_equal', 'needs source_labels'],
    ['action: keep_if_contains', 'needs source_labels', 'needs target_label'],
    [`action: drop_if_contains, ${source}, target_label: a, regex: b`, 'takes no regex'],
    ['action: hashmod', 'needs source_labels', 'needs target_label', 'needs modulus'],
    ['action: labelmap'],
    ['action: labelmap_all'],
    ['action: labeldrop'],
    ['action: labelkeep'],
    ['action: lowercase', 'needs source_labels', 'needs target_label'],
    ['action: uppercase', 'needs source_labels', 'needs target_label'],
    ['action: graphite', 'needs match', 'needs labels'],
    [
      `action: graphite, match: a, labels: {b: c}, ${source}, target_label: a, regex: b, replacement: c`,
      'takes no source_labels',
      'takes no target_label',
      'takes no regex',
      'takes no replacement',
    ],
    ['action: labeldrop, match: a, labels: {b: c}', 'takes no match', 'takes no labels'],
    // Fields without a meaning are let be.
    [`action: labeldrop, ${source}, target_label: a, modulus: 3, replacement: c, separator: x`],
  ];
  for (const [rule, ...wrong] of cases) assert.deepEqual(needs(rule), wrong, rule);
  assert.match(
    problemsOf('[{action: keep_if_equal, source_labels: [a]}]')[0]!,
    /^r\.yaml:1:41: rule 1: there is one source label/,
  );
  assert.match(
    problemsOf('[{action: hashmod, source_labels: [a], target_label: b, modulus: 0}]')[0]!,
    /modulo 0/,
  );
});

/** A rule that every action takes. */
const complete = (action: string) => {
  const common = 'if: \'{a!="none"}\'';
  if (action === 'graphite')
    return `[{action: graphite, ${common}, match: "*.*", labels: {a: "$2", "": "$1"}}]`;
  const isMetrics = action.endsWith('_metrics');
  const parts = [
    `action: ${action}, ${common}, modulus: 7, replacement: "$1x"`,
    isMetrics ? '' : 'source_labels: [a, b]',
    action.endsWith('_if_equal') ? '' : 'target_label: a',
    /equal|contains/.test(action) ? '' : 'regex: "(.)+b?.*"',
  ];
  return `[{${parts.filter((part) => part !== '').join(', ')}}]`;
};

test('no action throws, whatever the labels are, and origins are only kept by labels that did not change', () => {
  const pair = fc.tuple(
    fc.oneof(fc.constantFrom('a', 'b', '', '__name__', '__x'), fc.string({ unit: 'binary' })),
    fc.oneof(fc.constantFrom('', 'a.b', 'none'), fc.string({ unit: 'binary' })),
  );
  for (const action of actions.keys()) {
    const chain = chainOf(complete(action));
    assert.ok(chain instanceof RelabelChain);
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 6 }), (pairs) => {
        const labels = Labels.of(pairs);
        if (!chain.apply(labels)) return;
        for (const [index, origin] of labels.origins.entries()) {
          if (origin < 0) continue;
          assert.deepEqual([labels.names[index], labels.values[index]], pairs[origin], action);
        }
      }),
      { numRuns: 300 },
    );
  }
});

test('rules that double a value or the labels without end drop the series', () => {
  const many = (rule: string) =>
    chainOf(`[${Array.from({ length: 40 }, (_, index) => rule.replace('INDEX', `${index}`)).join(',')}]`);
  const rules = [
    '{source_labels: [a], target_label: a, replacement: "$1$1"}',
    '{source_labels: [a, a, a, a], target_label: a}',
    '{action: replace_all, source_labels: [a], regex: x, target_label: a, replacement: xx}',
    '{target_label: a, replacement: "{{a}}{{a}}{{a}}"}',
    '{action: labelmap, regex: (.+), replacement: "INDEX_$1"}',
    '{action: labelmap_all, regex: a, replacement: "aaaa"}',
  ];
  for (const rule of rules) {
    assert.equal(
      many(rule).apply(
        Labels.of([
          ['a', 'x'],
          ['b', 'y'],
        ]),
      ),
      false,
      rule,
    );
    assert.equal(
      many(rule)
        .explain(
          Labels.of([
            ['a', 'x'],
            ['b', 'y'],
          ]),
        )
        .at(-1)!.dropped,
      true,
      rule,
    );
  }
});
