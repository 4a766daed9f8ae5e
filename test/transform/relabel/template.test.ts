import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { expand, fillLabels, literalOf, parseTemplate } from '../../../src/transform/relabel/template.ts';

/** Of `(?P<first>b)(c)(d)?` in `bc`. */
const names = new Map([['first', 1]]);
const expanded = (text: string) => expand(parseTemplate(text, names, 3), 'bc', [0, 2, 0, 1, 1, 2, -1, -1]);

test('references are those of Go', () => {
  const cases: [template: string, text: string][] = [
    ['', ''],
    ['plain', 'plain'],
    ['$1-$2', 'b-c'],
    ['$0', 'bc'],
    ['$1x', ''],
    ['$\u007b1}x', 'bx'],
    ['$first', 'b'],
    ['$\u007bfirst}s$2', 'bsc'],
    ['$3|$4|$99999999999|$none', '|||'],
    ['$01', ''],
    ['$$1', '$1'],
    ['$$$1', '$b'],
    ['$', '$'],
    ['a$-b', 'a$-b'],
    ['$\u007b1', '$\u007b1'],
    ['$\u007b}', '$\u007b}'],
    ['$\u007bé}$é', '$\u007bé}$é'],
    ['$1_', ''],
    ['$1.$1', 'b.b'],
  ];
  for (const [template, text] of cases) assert.equal(expanded(template), text, template);
});

test('a template without references is a text', () => {
  assert.equal(literalOf(parseTemplate('a$$b$none', names, 3)), 'a$b');
  assert.equal(literalOf(parseTemplate('', names, 3)), '');
  assert.equal(literalOf(parseTemplate('$1', names, 3)), undefined);
  assert.equal(literalOf(parseTemplate('a$1', names, 3)), undefined);
});

test('labels in a text', () => {
  const labels = Labels.of([
    ['__name__', 'qwe'],
    ['foo', 'bar'],
    ['odd{', 'x'],
  ]);
  const cases: [text: string, filled: string][] = [
    ['', ''],
    ['a', 'a'],
    ['{{__name__}}.{{foo}}.$1', 'qwe.bar.$1'],
    ['{{none}}x', 'x'],
    ['{{foo', '{{foo'],
    ['{{foo}', '{{foo}'],
    ['{{foo}}{{', 'bar{{'],
    ['{{{{foo}}}}', '}}'],
    ['{{odd{}}', 'x'],
  ];
  for (const [text, filled] of cases) assert.equal(fillLabels(text, labels), filled, text);
});
