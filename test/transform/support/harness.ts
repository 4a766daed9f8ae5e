/** Aggregation rules on a clock that the test moves, with the engine's part played: refs, timers, restarts. */
import assert from 'node:assert/strict';
import { Labels } from '../../../src/model/labels.ts';
import type { Relabeling } from '../../../src/transform/aggregate/aggregator.ts';
import { Aggregators, type RuleStats } from '../../../src/transform/aggregate/aggregators.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/transform/aggregate/checkpoint.ts';
import { type AggregationRuleSpec, parseAggregationRules } from '../../../src/transform/aggregate/rule.ts';
import { OutputWriter } from '../../../src/transform/state/output-writer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { decodeWriteRequest, valueOfBits } from '../../support/remote-write.ts';
import { batchOf, labelsOf, type Sample, selectorOf } from './batch.ts';

/** On every grid that tests use. */
export const START_MS = 1_800_000_000_000;

export interface Told {
  readonly series: string;
  readonly timestampMs: number;
  readonly value: number;
}

export interface HarnessOptions {
  readonly startMs?: number;
  readonly slotsMax?: number;
  readonly compileRelabel?: (rules: readonly unknown[]) => Relabeling;
}

export class Harness {
  readonly clock: FakeClock;
  aggregators: Aggregators;
  readonly told: Told[] = [];
  readonly #refs = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #options: HarnessOptions;
  readonly #writer = new OutputWriter();

  constructor(rules: string | readonly AggregationRuleSpec[], options: HarnessOptions = {}) {
    this.#options = options;
    this.clock = new FakeClock(options.startMs ?? START_MS);
    this.aggregators = this.#create(typeof rules === 'string' ? specsOf(rules) : rules);
  }

  #create(specs: readonly AggregationRuleSpec[]): Aggregators {
    const { slotsMax, compileRelabel } = this.#options;
    return new Aggregators(specs, {
      clock: this.clock,
      scope: 'global',
      compileSelector: selectorOf,
      compileRelabel: compileRelabel ?? (() => assert.fail('no relabeling in this test')),
      ...(slotsMax === undefined ? {} : { slotsMax }),
    });
  }

  /** One request. */
  push(series: Readonly<Record<string, readonly Sample[]>>): void {
    const rows = Object.entries(series).map(([name, samples]) => ({ ref: this.ref(name), samples }));
    this.aggregators.push(batchOf(rows));
  }

  /** One request with values of now. */
  pushNow(values: Readonly<Record<string, number>>): void {
    const now = this.clock.nowMs();
    this.push(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [[now, value]]])));
  }

  /** A series that got no ref. */
  pushUnknown(name: string, samples: readonly Sample[]): boolean {
    return this.aggregators.pushSeries(labelsOf(name), batchOf([{ ref: 0, samples }]), 0, samples.length);
  }

  ref(name: string): number {
    const known = this.#refs.get(name);
    if (known !== undefined) return known;
    const ref = this.#free.pop() ?? this.#refs.size;
    this.#refs.set(name, ref);
    this.aggregators.seriesPlan(ref, labelsOf(name));
    return ref;
  }

  /** The engine evicts a series; its ref goes to the next new one. */
  forget(name: string): void {
    const ref = this.#refs.get(name);
    if (ref === undefined) return;
    this.#refs.delete(name);
    this.aggregators.forget([ref]);
    this.#free.push(ref);
  }

  /** Moves the clock, and flushes whenever something is due. */
  advance(ms: number): void {
    const end = this.clock.nowMs() + ms;
    for (let due = this.aggregators.nextFlushMs; due <= end; due = this.aggregators.nextFlushMs) {
      this.clock.advance(Math.max(0, due - this.clock.nowMs()));
      this.flush();
    }
    for (const stats of this.aggregators.stats()) assertAccount(stats);
    this.clock.advance(end - this.clock.nowMs());
  }

  flush(): void {
    this.aggregators.flushDue();
    this.#drain();
  }

  finish(): void {
    this.aggregators.finish(() => this.#drain());
  }

  /** In slices of a few, and read back by protobufjs. */
  #drain(): void {
    while (this.aggregators.untold > 0) {
      this.aggregators.tell(this.#writer, 3, 1000);
      this.told.push(...toldIn(this.#writer));
    }
  }

  /** A new process, or a reload, with the state of the old one. */
  restart(specs: readonly AggregationRuleSpec[] = this.aggregators.specs): void {
    const { bytes } = encodeCheckpoint(this.aggregators.save());
    this.aggregators = this.#create(specs);
    const { parts, problem } = decodeCheckpoint(bytes);
    assert.equal(problem, undefined);
    assert.deepEqual(this.aggregators.load(parts).problems, []);
    for (const [name, ref] of this.#refs) this.aggregators.seriesPlan(ref, labelsOf(name));
  }

  /** What was told since the last call: `series value`, in the order of the text. */
  take(): string[] {
    return this.told
      .splice(0)
      .map(({ series, value }) => `${series} ${value}`)
      .sort();
  }

  /** Values of the only series, an interval each; `undefined` where there was none. */
  values(
    intervals: readonly (readonly number[])[],
    intervalMs: number,
    series: string,
  ): (number | undefined)[] {
    return intervals.map((samples) => {
      for (const value of samples) this.pushNow({ [series]: value });
      this.advance(intervalMs);
      const told = this.told.splice(0);
      assert.ok(told.length <= 1, `one series, not ${JSON.stringify(told)}`);
      return told[0]?.value;
    });
  }
}

/** Every sample of a series that a rule matches is in one column. */
export function assertAccount(stats: RuleStats): void {
  const { came, resumed, matched, ignoredNan, ignoredTooOld, relabelDropped, refused } = stats;
  const { dedupDropped, held, aggregated } = stats;
  const leftOut = ignoredNan + ignoredTooOld + relabelDropped + refused;
  assert.equal(came, leftOut + matched);
  assert.equal(came + resumed, leftOut + dedupDropped + held + aggregated, JSON.stringify(stats));
}

/** What was written. */
export function toldIn(writer: OutputWriter): Told[] {
  return decodeWriteRequest(writer.take()).series.flatMap(({ labels, points }) =>
    points.map(({ timestampMs, bits }) => ({
      series: Labels.of(Object.entries(labels)).toString(),
      timestampMs,
      value: valueOfBits(bits),
    })),
  );
}

export function specsOf(text: string): AggregationRuleSpec[] {
  const { rules, problems } = parseAggregationRules(text, 'rules.yaml');
  assert.deepEqual(problems, []);
  return rules;
}
