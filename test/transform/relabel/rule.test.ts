import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RelabelChain } from '../../../src/transform/relabel/chain.ts';
import { parseRules } from '../../../src/transform/relabel/rule.ts';
import { problemsOf } from './support.ts';

function ruleOf(yaml: string) {
  const { rules, problems } = parseRules(yaml, 'r.yaml');
  assert.deepEqual(problems, [], yaml);
  assert.equal(rules.length, 1);
  return rules[0]!;
}

test('a rule is plain data, with defaults', () => {
  const rule = ruleOf('# comment\n- source_labels: [a, 1]\n  target_label: b\n');
  assert.deepEqual(rule, {
    where: 'r.yaml:2:3',
    text: 'source_labels:\n  - a\n  - "1"\ntarget_label: b',
    action: 'replace',
    if: [],
    sourceLabels: ['a', '1'],
    separator: ';',
    targetLabel: 'b',
    regex: undefined,
    modulus: 0n,
    replacement: '$1',
    match: '',
    labels: [],
  });
  assert.deepEqual(structuredClone(rule), rule);
});

test('values that are no texts are read as texts', () => {
  const regex = (yaml: string) => ruleOf(`[{action: labeldrop, regex: ${yaml}}]`).regex;
  assert.deepEqual(
    ['123', '1.50', 'true', 'null', '~', '', '""', '0x10', '[a, 1, null, b|c]', '[]'].map(regex),
    ['123', '1.5', 'true', 'null', 'null', undefined, '', '16', 'a|1|null|b|c', ''],
  );
  const rule = ruleOf('[{target_label: 1.50, replacement: true, separator: 0x10}]');
  assert.deepEqual([rule.targetLabel, rule.replacement, rule.separator], ['1.50', 'true', '0x10']);
  assert.equal(ruleOf('[{target_label: a, replacement: ""}]').replacement, '');
  assert.equal(ruleOf('[{target_label: a, replacement: }]').replacement, '$1');
});

test('if is a selector or a list, actions are written in any case', () => {
  assert.deepEqual(ruleOf('[{if: foo, action: DROP}]').if, ['foo']);
  const rule = ruleOf(`[{if: [foo, '{a="b"}'], action: Keep_Metrics}]`);
  assert.deepEqual([rule.if, rule.action], [['foo', '{a="b"}'], 'keep_metrics']);
});

test('anchors, aliases and merged mappings', () => {
  const { rules, problems } = parseRules(
    '- &a {action: labeldrop, regex: &r x.*}\n- {<<: *a, action: labelkeep}\n- {regex: *r, target_label: b}\n- *a\n',
    'r.yaml',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    rules.map(({ action, regex }) => [action, regex]),
    [
      ['labeldrop', 'x.*'],
      ['labelkeep', 'x.*'],
      ['replace', 'x.*'],
      ['labeldrop', 'x.*'],
    ],
  );
});

test('no rules', () => {
  for (const yaml of ['', '# nothing', '[]', 'null', '---\n'])
    assert.deepEqual(parseRules(yaml, 'r.yaml'), { rules: [], problems: [] });
});

test('everything that is wrong is told at once, with its place and what to do', () => {
  const yaml = `- action: keap
  source_labels: [a]
- action: replace
  sourcelabels: [a]
  regex: "("
- source_labels: a
  target_label: b
- just text
- action: hashmod
  source_labels: [a]
  target_label: b
  modulus: -1
  if: ['{a="b"}', '{a="b"']
- target_label: a
  target_label: b
- action: labeldrop
  regex: {a: b}
  labels: [a]
  replacement: [a]
- action: drop
  if: rate(foo)
  regex: [a, '(']
- action: graphite
  match: a.*
  labels: {a: [b]}
- nonsense: 1
  target_label: a
- `;
  assert.deepEqual(problemsOf(yaml), [
    'r.yaml:1:11: rule 1: there is no action "keap"; did you mean keep?',
    'r.yaml:4:3: rule 2: a rule has no field "sourcelabels"; did you mean source_labels?',
    'r.yaml:3:3: rule 2: action replace needs target_label; write target_label: …',
    'r.yaml:5:10: rule 2: the regex "(" cannot be used: missing closing ); write it in RE2 syntax: no lookaround, no backreferences, at most 1000 repeats',
    'r.yaml:6:18: rule 3: source_labels is something else than a list of texts; write a list, like [job, instance]',
    'r.yaml:8:3: rule 4: a rule is a mapping; write action: … and its other fields',
    'r.yaml:12:12: rule 5: "-1" is no modulus; write a whole number from 1 on',
    'r.yaml:13:19: rule 5: the selector "{a=\\"b\\"" cannot be read: at character 7 a comma, or or } is expected, and it ends here; write it like foo{a="b",c=~"d|e"}',
    'r.yaml:15:3: rule 6: target_label is given twice; keep one; the first is at r.yaml:14:3',
    'r.yaml:17:10: rule 7: regex is something else than a list of texts; write a regex, or a list of them',
    'r.yaml:18:11: rule 7: labels is something else than a mapping of names to texts; write {job: "$1"}',
    'r.yaml:19:16: rule 7: replacement is one text; write one value, no list or mapping',
    'r.yaml:22:10: rule 8: the regex "a|(" cannot be used: missing closing ); write it in RE2 syntax: no lookaround, no backreferences, at most 1000 repeats',
    'r.yaml:21:7: rule 8: the selector "rate(foo)" cannot be read: at character 5 the end is expected, and this is something else; write a selector alone, without functions, ranges and offsets',
    'r.yaml:25:11: rule 9: labels is something else than a mapping of names to texts; write {job: "$1"}',
    'r.yaml:26:3: rule 10: a rule has no field "nonsense"; a rule has action, if, source_labels, separator, target_label, regex, modulus, replacement, match, labels',
    'r.yaml:28:3: rule 11: a rule is a mapping; write action: … and its other fields',
  ]);
});

test('rules beside wrong ones are kept, and numbers count all', () => {
  const { rules, problems } = parseRules(
    '[{action: labeldrop, regex: a}, {x: y, target_label: a}, {action: nonsensical}]',
    'r.yaml',
  );
  assert.equal(rules.length, 1);
  assert.deepEqual(
    problems.map(({ message }) => message.slice(0, 7)),
    ['rule 2:', 'rule 3:'],
  );
});

test('files that are no list of rules', () => {
  assert.match(problemsOf('a: b')[0]!, /^r\.yaml:1:1: the file is no list of rules/);
  assert.match(problemsOf('- a\n b')[0]!, /^r\.yaml:1:3: /);
  assert.match(problemsOf('- {a: b')[0]!, /^r\.yaml:1:\d+: /);
  assert.match(problemsOf('- *a')[0]!, /^r\.yaml:1:3: (rule 1: )?this alias has no anchor/);
  assert.match(problemsOf('- &a {<<: *a, target_label: b}')[0]!, /<< takes an alias of a mapping/);
  assert.match(problemsOf('[{target_label: a}]\n---\n[]')[0]!, /more than one document/);
});

test('hostile YAML never throws and gives rules that can be used', () => {
  const bombs = [
    '['.repeat(100_000),
    '- '.repeat(50_000),
    '{'.repeat(20_000),
    `- &a [x]\n${Array.from({ length: 30 }, (_, index) => `- &a${index} [*a${index - 1}, *a${index - 1}]`).join('\n')}`,
    '- !!binary x\n- !<x> {}',
    '- ? [a, b]\n  : c',
    '- {? : x}',
    '- {__proto__: x, constructor: y, toString: z}',
    '- {action: __proto__}\n- {action: constructor}',
    '- {action: graphite, match: "*", labels: {__proto__: x}}',
    '\u0000\u0001',
    '- "\\ud800"',
    '%YAML 9.9\n---\n- a',
  ];
  for (const yaml of bombs) assert.ok(parseRules(yaml, 'r.yaml').problems.length >= 0);
  const piece = fc.constantFrom(
    '- ',
    '\n',
    '  ',
    'action: ',
    'replace',
    'drop',
    'if: ',
    'regex: ',
    '(',
    '[',
    ']',
    '{',
    '}',
    ',',
    ': ',
    '"',
    "'",
    '&a ',
    '*a',
    '<<: ',
    'target_label: ',
    'source_labels: ',
    'x',
    '#',
    '|',
    '>',
    '~',
    '1',
    'labels: ',
    'match: ',
    '\t',
    '!!str ',
    'modulus: ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.string({ unit: 'binary' }), (pieces, other) => {
      for (const yaml of [pieces.join(''), `- ${pieces.join('')}`, other]) {
        const { rules, problems } = parseRules(yaml, 'r.yaml');
        for (const { where, message, hint } of problems)
          assert.ok(where.startsWith('r.yaml') && message !== '' && hint !== '');
        new RelabelChain(rules);
      }
    }),
    { numRuns: 5_000 },
  );
});
