/**
 * Aggregation as it would be written without a thought for speed: every group keeps all that happened to it since it
 * began, and what an output tells is computed anew from that list at every flush. And random stories of samples and time
 * that both sides live through.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AggregationRuleSpec } from '../../../src/transform/aggregate/rule.ts';
import { type Sample, STALE, type Value } from './batch.ts';
import { Harness, START_MS, specsOf, type Told } from './harness.ts';

export interface SampleEvent {
  readonly kind: 'sample';
  readonly series: string;
  readonly timestampMs: number;
  readonly value: number;
  /** When it came. */
  readonly nowMs: number;
  /** The number of the window that it belongs to. */
  readonly window: number;
  /** It is not stale before; its window is told by then. */
  readonly untilMs: number;
}

export interface FlushEvent {
  readonly kind: 'flush';
  readonly flushMs: number;
  readonly window: number;
}

/** What happened to one group since it began; the last one is the flush that tells. */
export type History = readonly (SampleEvent | FlushEvent)[];

export interface ReferenceRule {
  readonly startMs: number;
  readonly stalenessMs: number;
  readonly ignoreFirstSampleMs: number;
}

/** What an output tells: values by extra label (`name="value"`, or '' for none). */
export type Reference = (history: History, rule: ReferenceRule) => Readonly<Record<string, number>>;

export const flushOf = (history: History): FlushEvent => history.at(-1) as FlushEvent;

/** Samples of the window that ends. */
export function windowOf(history: History): SampleEvent[] {
  const { window } = flushOf(history);
  return history.filter((event) => event.kind === 'sample').filter((event) => event.window === window);
}

/** A reference that only looks at the window, and says nothing when it is empty. */
export function ofWindow(tell: (values: number[], samples: SampleEvent[]) => number): Reference {
  return (history) => {
    const samples = windowOf(history);
    if (samples.length === 0) return {};
    return {
      '': tell(
        samples.map(({ value }) => value),
        samples,
      ),
    };
  };
}

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export interface CounterStep {
  readonly event: SampleEvent;
  /** Undefined for the first sample of a counter. */
  readonly increase: number | undefined;
}

/** The samples of counters that are not out of order, each with what the counter grew by. */
export function counterSteps(history: History): CounterStep[] {
  const known = new Map<string, { value: number; timestampMs: number; untilMs: number }>();
  const steps: CounterStep[] = [];
  for (const event of history) {
    if (event.kind === 'flush') {
      for (const [series, { untilMs }] of known) if (untilMs < event.flushMs) known.delete(series);
      continue;
    }
    const nowS = Math.floor(event.nowMs / 1000);
    const last = known.get(event.series);
    const isKnown = last !== undefined && last.untilMs >= nowS * 1000;
    if (isKnown && event.timestampMs < last.timestampMs) continue;
    const grown = isKnown ? (event.value >= last.value ? event.value - last.value : event.value) : undefined;
    steps.push({ event, increase: grown });
    const { value, timestampMs, untilMs } = event;
    known.set(event.series, { value, timestampMs, untilMs });
  }
  return steps;
}

interface Group {
  untilMs: number;
  readonly history: (SampleEvent | FlushEvent)[];
}

/** One rule with outputs, grouped by the label `g`. Without deduplication. */
export class ModelRule {
  readonly told: Told[] = [];
  readonly #spec: AggregationRuleSpec;
  readonly #startMs: number;
  readonly #references: Readonly<Record<string, Reference>>;
  readonly #groups = new Map<string, Group>();
  #window = 0;
  #minDeadlineMs: number;
  #deadlineMs: number;
  #lagMs = 0;

  constructor(spec: AggregationRuleSpec, nowMs: number, references: Readonly<Record<string, Reference>>) {
    this.#spec = spec;
    this.#startMs = nowMs;
    this.#references = references;
    // START_MS is on the grid of every rule here.
    const beyond = (nowMs - START_MS) % spec.intervalMs;
    this.#minDeadlineMs = beyond === 0 || !spec.alignFlush ? nowMs : nowMs - beyond + spec.intervalMs;
    this.#deadlineMs = this.#minDeadlineMs + spec.intervalMs;
  }

  /** One request of one series. */
  push(group: string, series: string, samples: readonly Sample[], nowMs: number): void {
    const { enableWindows, ignoreOldSamples, stalenessMs } = this.#spec;
    const accepted: SampleEvent[] = [];
    for (const [timestampMs, value] of samples) {
      if (typeof value === 'bigint' || Number.isNaN(value)) continue;
      if ((enableWindows || ignoreOldSamples) && timestampMs < this.#minDeadlineMs) continue;
      const isNext = enableWindows && timestampMs > this.#deadlineMs;
      const toldMs = this.#deadlineMs + (isNext ? this.#spec.intervalMs : 0);
      accepted.push({
        kind: 'sample',
        series,
        timestampMs,
        value,
        nowMs,
        window: this.#window + (isNext ? 1 : 0),
        untilMs: Math.max(nowMs + stalenessMs, toldMs),
      });
      if (enableWindows)
        this.#lagMs = Math.min(Math.max(this.#lagMs, nowMs - timestampMs), this.#spec.intervalMs);
    }
    if (accepted.length === 0) return;
    const state = this.#groups.get(group) ?? { untilMs: 0, history: [] };
    this.#groups.set(group, state);
    state.untilMs = Math.max(state.untilMs, ...accepted.map(({ untilMs }) => untilMs));
    // A request is looked at window by window.
    state.history.push(...accepted.toSorted((a, b) => a.window - b.window));
  }

  get nextFlushMs(): number {
    return this.#deadlineMs + this.#lagMs;
  }

  flush(): void {
    const flushMs = this.#deadlineMs;
    const rule = { ...this.#spec, startMs: this.#startMs };
    for (const [name, group] of this.#groups) {
      if (flushMs > group.untilMs) {
        this.#groups.delete(name);
        continue;
      }
      group.history.push({ kind: 'flush', flushMs, window: this.#window });
      for (const [output, reference] of Object.entries(this.#references)) {
        for (const [label, value] of Object.entries(reference(group.history, rule))) {
          const labels = [`g="${name}"`, ...(label === '' ? [] : [label])].join(',');
          const series = `foo:${this.#spec.intervalText}_by_g_${output}{${labels}}`;
          this.told.push({ series, timestampMs: flushMs, value });
        }
      }
    }
    this.#window++;
    this.#lagMs = 0;
    this.#minDeadlineMs = flushMs;
    this.#deadlineMs += this.#spec.intervalMs;
  }
}

export type Action =
  | {
      readonly kind: 'push';
      readonly series: number;
      readonly samples: readonly (readonly [ageMs: number, value: Value])[];
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'forget'; readonly series: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'unknown'; readonly series: number; readonly value: Value };

const SERIES = 6;
const INTERVAL_MS = 10_000;

const anyValue: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 3, arbitrary: fc.integer({ min: -400, max: 4000 }).map((value) => value / 16) },
  { weight: 1, arbitrary: fc.constantFrom<Value>(Number.NaN, 1e15, 0.1, -0, STALE) },
);

/** Mostly a moment ago; also of the same time, late, much too late, and from a clock that is ahead. */
const anyAge = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 3000 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1000) },
  { weight: 1, arbitrary: fc.integer({ min: -4000, max: 25_000 }) },
);

const anyAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('push'),
      series: fc.nat(SERIES - 1),
      samples: fc.array(fc.tuple(anyAge, anyValue), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 6000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 6000, max: 40_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget'), series: fc.nat(SERIES - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('unknown'), series: fc.nat(SERIES - 1), value: anyValue }),
  },
);

/** Rule texts without outputs, and when they begin. */
const anyRule = fc.record({
  startMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 9999 })).map((ms) => START_MS + ms),
  options: fc
    .record({
      staleness_interval: fc.constantFrom('10s', '20s', '25s', '60s'),
      ignore_first_sample_interval: fc.constantFrom('0s', '15s', undefined),
      enable_windows: fc.boolean(),
      no_align_flush_to_interval: fc.boolean(),
      ignore_old_samples: fc.constantFrom(true, false, false),
    })
    .map((options) =>
      Object.entries(options)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `  ${key}: ${value}`)
        .join('\n'),
    ),
});

const nameOf = (series: number): string => `foo{g="${series % 2}",i="${series}"}`;

/** The same series at the same times, and values that differ by no more than the order of sums explains. */
function assertSame(actual: readonly Told[], expected: readonly Told[]): void {
  const keyed = (told: readonly Told[]) =>
    new Map(told.map(({ series, timestampMs, value }) => [`${timestampMs} ${series}`, value]));
  const found = keyed(actual);
  assert.equal(found.size, actual.length, 'nothing is told twice');
  const wanted = keyed(expected);
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort());
  for (const [key, value] of wanted) {
    const distance = Math.abs(found.get(key)! - value);
    const isSame = Object.is(found.get(key), value) || distance <= 1e-9 * Math.max(1, Math.abs(value));
    assert.ok(isSame, `${key}: ${found.get(key)} and not ${value}`);
  }
}

/** Random stories: the rule with these outputs tells what the references tell, also when it is restarted in between. */
export function assertOutputs(references: Readonly<Record<string, Reference>>, runs = 400): void {
  fc.assert(
    fc.property(anyRule, fc.array(anyAction, { maxLength: 80 }), ({ startMs, options }, actions) => {
      const outputs = Object.keys(references).map((output) => JSON.stringify(output));
      const text = `- interval: 10s\n  by: [g]\n  outputs: [${outputs.join(', ')}]\n${options}`;
      const specs = specsOf(text);
      const harness = new Harness(specs, { startMs });
      const names = Object.entries(references).map(([output, reference]) => [
        output.replace(/\(.*/, ''),
        reference,
      ]);
      const model = new ModelRule(specs[0]!, startMs, Object.fromEntries(names));
      for (const action of [...actions, { kind: 'wait', ms: 3 * INTERVAL_MS } as const])
        play(action, harness, model);
      assertSame(harness.told, model.told);
    }),
    { numRuns: runs },
  );
}

export function play(action: Action, harness: Harness, model: ModelRule): void {
  if (action.kind === 'restart') harness.restart();
  else if (action.kind === 'forget') harness.forget(nameOf(action.series));
  else if (action.kind === 'wait') {
    const end = harness.clock.nowMs() + action.ms;
    while (model.nextFlushMs <= end) model.flush();
    harness.advance(action.ms);
  } else {
    const now = harness.clock.nowMs();
    const name = nameOf(action.series);
    const samples: Sample[] =
      action.kind === 'push'
        ? action.samples.map(([age, value]) => [now - age, value])
        : [[now, action.value]];
    if (action.kind === 'push') harness.push({ [name]: samples });
    else harness.pushUnknown(name, samples);
    model.push(String(action.series % 2), name, samples, now);
  }
}
