/** Regexes made to be slow: each is refused with a reason, or its time grows with the value and no faster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { RelabelChain } from '../../../src/transform/relabel/chain.ts';
import { parseRules } from '../../../src/transform/relabel/rule.ts';

const regexes = [
  // Nested quantifiers.
  '(a+)+',
  '(a+)+$',
  '(a*)*b',
  '(a|a)*b',
  '(a|aa)+$',
  '(a|a?)+b',
  '((a+)+)+b',
  '(([a-z])+.)+[A-Z]',
  '(.*)*',
  '(.*)+x',
  '(.*.*)*x',
  '(x+x+)+y',
  '([a-z]+)*=',
  '(a?){100}b',
  '(a+){1,100}b',
  // Many ways to part a text.
  '.*.*.*.*.*=.*',
  '.*a.*a.*a.*a.*b',
  '(.*)(.*)(.*)(.*)b',
  '(.*?)(.*?)(.*?)b',
  'a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa',
  '(?:a?){50}a{50}',
  '\\s*\\s*\\s*=',
  '(\\w+\\s?)+$',
  '(a|b|ab|ba)*c',
  '(aa|aab?)*c',
  '(a|ab)(c|bcd)(d*)',
  // Long looks ahead before a short match.
  'a.*b|a',
  '(a+b|a)',
  'a*?b|a',
  '(?:a|b)*c|[ab]',
  '(.*b)|.',
  'a(?:.*b)?',
  '\\ba*b|a',
  // Many states.
  '(a|b)*a(a|b){10}',
  '(a|b)*a(a|b){100}b',
  '.*a.{50}b',
  '[ab]*a[ab]{15}[ab]{15}b',
  '(?i)(a|b)*a(a|b){30}',
  '(a|b|c|d|e)*(ab|bc|cd|de)*f',
  // Counted repeats.
  '((a{1,100}){1,100}){1,100}',
  '(a{1000}){1000}',
  '(?:(?:a{30}){30}){30}',
  'a{1001}',
  'a{0,1000}',
  'a{1000}b{1000}c{1000}',
  '(?:a{1,30}){1,30}',
  '(?:a{0,30}){30}b',
  '(?:[a-z]{0,500}[0-9]{0,500})b',
  `(?:${'abcdefghij'.repeat(20)}){1000}`,
  `(?:${'a{1,1000}'.repeat(50)})`,
  '(?:\\pL{1,50}){20}',
  '(?i)\\p{Greek}{500}',
  // Long, deep and broken.
  `${'('.repeat(100)}a${')'.repeat(100)}`,
  `${'('.repeat(5000)}a${')'.repeat(5000)}`,
  `${'(a|'.repeat(900)}b${')'.repeat(900)}`,
  Array.from({ length: 3_000 }, (_, index) => `job${index}.`).join('|'),
  `${'a'.repeat(10_000)}.`,
  `[${'a-z'.repeat(3_000)}]+b`,
  '(?:^a*)*$b',
  '(?:\\b|a)*b',
  '(|a)*b',
  '(|a|aa|aaa)+$',
  '(?=a)b',
  '(?<=a)b',
  '(?!a)b',
  '(a)\\1',
  '(?>a+)b',
  'a++b',
  '(',
  '[',
  '\\',
  '(?P<a>b)(?P<a>c)',
];

const uses = [
  'action: keep, source_labels: [a]',
  'action: replace, source_labels: [a], target_label: b, replacement: "<$1>"',
  'action: replace_all, source_labels: [a], target_label: b, replacement: "<$1>"',
];

/** Texts of which some make each regex work, without what would let it stop early. */
const fills: ((length: number) => string)[] = [
  (length) => 'a'.repeat(length),
  (length) => `${'a'.repeat(length - 1)}!`,
  (length) => 'x y='.repeat(length / 4),
  (length) => Array.from({ length }, (_, index) => 'ab'[((index * index) >> 3) & 1]).join(''),
];

/** What takes less is not looked at again: there the measurement would be of the machine. */
const CPU_MS_MIN = 20;
/** The best of so many measurements counts: whatever else runs here makes them worse, never better. */
const TRIES_MAX = 20;

/** CPU time of one series; each has a new value, so that no result is known. */
function cpuMs(chain: Pick<RelabelChain, 'apply'>, value: string, run: number): number {
  const labels = Labels.of([['a', value.slice(0, -2) + String((run % 90) + 10)]]);
  const before = process.cpuUsage();
  chain.apply(labels);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** How many times as much twice the length costs; 0 when that is too little to tell. */
function growth(chain: Pick<RelabelChain, 'apply'>, fill: (length: number) => string): number {
  let half = Number.POSITIVE_INFINITY;
  let whole = Number.POSITIVE_INFINITY;
  for (let run = 1; run <= TRIES_MAX; run++) {
    half = Math.min(half, cpuMs(chain, fill(32 * 1024), run));
    whole = Math.min(whole, cpuMs(chain, fill(64 * 1024), run));
    if (run > 1 && (whole <= CPU_MS_MIN || whole <= GROWTH_MAX * half)) break;
  }
  return whole <= CPU_MS_MIN ? 0 : whole / half;
}

const GROWTH_MAX = 2.5;

test('the measure sees what is not linear', () => {
  const apply = (labels: Labels) => {
    const value = labels.get('a');
    let sum = 0;
    for (let from = 0; from < value.length; from += 128) {
      for (let at = 0; at < value.length; at++) sum += value.charCodeAt(at);
    }
    return sum > 0;
  };
  assert.ok(growth({ apply }, (length) => 'a'.repeat(length)) > GROWTH_MAX);
});

test('there are sixty of them', () => assert.ok(regexes.length >= 60));

for (const use of uses) {
  test(`linear or refused: ${use}`, () => {
    let refused = 0;
    for (const regex of regexes) {
      const { rules, problems } = parseRules(`- {${use}, regex: ${JSON.stringify(regex)}}`, 'r.yaml');
      if (problems.length > 0) {
        refused++;
        assert.match(problems[0]!.message, /^rule 1: the regex ".*" cannot be used: ./s);
        assert.ok(problems[0]!.message.length < 300, problems[0]!.message);
        continue;
      }
      const chain = new RelabelChain(rules);
      for (const fill of fills) {
        const first = cpuMs(chain, fill(64 * 1024), 0);
        if (first <= CPU_MS_MIN) continue;
        const factor = growth(chain, fill);
        const what = `${regex.slice(0, 60)} on ${fill(20)}`;
        assert.ok(factor <= GROWTH_MAX, `${what}: twice the length costs ${factor} times`);
        assert.ok(first < 20_000, `${what}: ${first} ms`);
      }
    }
    assert.ok(refused >= 10 && refused < 30, `${refused} are refused`);
  });
}
