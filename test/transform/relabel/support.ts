import assert from 'node:assert/strict';
import { formatProblem } from '../../../src/config/problem.ts';
import { Labels } from '../../../src/model/labels.ts';
import { RelabelChain } from '../../../src/transform/relabel/chain.ts';
import { parseRules } from '../../../src/transform/relabel/rule.ts';

export type Pairs = readonly (readonly [name: string, value: string])[];

/** Rules that must be right. */
export function chainOf(yaml: string): RelabelChain {
  const { rules, problems } = parseRules(yaml, 'r.yaml');
  assert.deepEqual(problems.map(formatProblem), [], yaml);
  // They cross to the engine thread.
  return new RelabelChain(structuredClone(rules));
}

/** `name{a="b",…}` as labels; values have no quotes in them, and are cut out as they stand. */
export function labelsOf(text: string): Labels {
  const [, metric, rest] = /^([^{]*)(?:\{(.*)\})?$/s.exec(text)!;
  const pairs = [...(rest ?? '').matchAll(/([^=,"]*)="([^"]*)"/g)].map(
    ([, name, value]) => [name!, value!] as const,
  );
  return Labels.of(metric === '' ? pairs : [['__name__', metric!], ...pairs]);
}

/** What the rules make of a series; `dropped` when they drop it. */
export function relabeled(yaml: string, series: string): string {
  const labels = labelsOf(series);
  const chain = chainOf(yaml);
  const last = chain.explain(labels).at(-1);
  assert.equal(labels.toString(), labelsOf(series).toString(), 'explaining changes nothing');
  const isKept = chain.apply(labels);
  if (last !== undefined) {
    assert.equal(last.dropped, !isKept, `explained otherwise: ${yaml} on ${series}`);
    if (isKept) assert.deepEqual(last.outLabels, labels.pairs());
  }
  return isKept ? labels.toString() : 'dropped';
}

/** Asserts what each series becomes, `in -> out`. */
export function expectSeries(yaml: string, ...cases: readonly string[]): void {
  for (const one of cases) {
    const [before, after] = one.split(' -> ') as [string, string];
    assert.equal(relabeled(yaml, before), after, `${yaml}\non ${before}`);
  }
}

/** What is wrong with rules, a line a problem. */
export function problemsOf(yaml: string): string[] {
  return parseRules(yaml, 'r.yaml').problems.map(formatProblem);
}
