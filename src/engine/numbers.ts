/**
 * What comes with every message of the engine, as flat arrays of numbers: an object costs some 100 ns a property to write and to
 * read again, on either thread, and these have a hundred.
 */
import type { Counts } from '../model/body.ts';
import { dropReasons } from '../model/drops.ts';
import { assert } from '../util/assert.ts';
import type { AggregationStats, Dropped, EngineStats } from './messages.ts';

const COUNTS = 5;
/** The group and the reason, in front of the counts. */
const DROPPED_FIELDS = 2 + COUNTS;
const EVERY_GROUP = -1;
/** In front of what waits in each group. */
const STATS_FIELDS = 11;

function pushCounts(to: number[], { series, samples, histograms, exemplars, metadata }: Counts): void {
  to.push(series, samples, histograms, exemplars, metadata);
}

/** The counts that begin at this place. */
export function countsAt(numbers: readonly number[], at: number): Counts {
  return {
    series: numbers[at]!,
    samples: numbers[at + 1]!,
    histograms: numbers[at + 2]!,
    exemplars: numbers[at + 3]!,
    metadata: numbers[at + 4]!,
  };
}

export function droppedToNumbers(all: readonly Dropped[]): number[] {
  const numbers: number[] = [];
  for (const { group = EVERY_GROUP, reason, counts } of all) {
    numbers.push(group, dropReasons.indexOf(reason));
    pushCounts(numbers, counts);
  }
  return numbers;
}

export function droppedOf(numbers: readonly number[]): Dropped[] {
  const all: Dropped[] = [];
  for (let at = 0; at < numbers.length; at += DROPPED_FIELDS) {
    const group = numbers[at] === EVERY_GROUP ? undefined : numbers[at];
    const reason = dropReasons[numbers[at + 1]!];
    assert(reason !== undefined, `reason ${numbers[at + 1]} is known`);
    all.push({ group, reason, counts: countsAt(numbers, at + 2) });
  }
  return all;
}

/** All but what it says of aggregation. */
export function statsToNumbers(stats: EngineStats): number[] {
  const { lanes, shaping } = stats;
  const numbers = [stats.memoryBytes, stats.seriesTableSize, stats.seriesTableCapacity];
  numbers.push(lanes.verbatim, lanes.join, lanes.column);
  numbers.push(shaping.planBytes, shaping.decided, shaping.futureSamples);
  numbers.push(shaping.hourlySeries, shaping.dailySeries);
  for (const counts of stats.pending) pushCounts(numbers, counts);
  return numbers;
}

export function statsOf(numbers: readonly number[], aggregation: AggregationStats | undefined): EngineStats {
  const pending: Counts[] = [];
  for (let at = STATS_FIELDS; at < numbers.length; at += COUNTS) pending.push(countsAt(numbers, at));
  return {
    memoryBytes: numbers[0]!,
    seriesTableSize: numbers[1]!,
    seriesTableCapacity: numbers[2]!,
    lanes: { verbatim: numbers[3]!, join: numbers[4]!, column: numbers[5]! },
    shaping: {
      planBytes: numbers[6]!,
      decided: numbers[7]!,
      futureSamples: numbers[8]!,
      hourlySeries: numbers[9]!,
      dailySeries: numbers[10]!,
    },
    pending,
    aggregation,
  };
}
