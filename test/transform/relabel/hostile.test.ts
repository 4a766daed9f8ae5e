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

const CPU_MS_MIN = 20;

/** CPU time of the fastest of several runs, each with new values so that no result is known. */
function cpuMs(chain: RelabelChain, value: string, runs: number): number {
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const labels = Labels.of([['a', value.slice(0, -1) + String(run % 10)]]);
    const before = process.cpuUsage();
    chain.apply(labels);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

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
        const first = cpuMs(chain, fill(64 * 1024), 1);
        if (first <= CPU_MS_MIN) continue;
        const grows = (runs: number) => {
          const half = cpuMs(chain, fill(32 * 1024), runs);
          return cpuMs(chain, fill(64 * 1024), runs) / half;
        };
        // What else runs here can make one measurement wrong, but not the best of them all.
        const factor = [2, 4, 8].reduce(
          (best, runs) => (best <= 2.5 ? best : Math.min(best, grows(runs))),
          Infinity,
        );
        assert.ok(
          factor <= 2.5,
          `${regex.slice(0, 60)} on ${fill(20)}: twice the length costs ${factor} times`,
        );
        assert.ok(first < 20_000, `${regex.slice(0, 60)} on ${fill(20)}: ${first} ms`);
      }
    }
    assert.ok(refused >= 10 && refused < 30, `${refused} are refused`);
  });
}
