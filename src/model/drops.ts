/** Why a series does not reach a destination, in the order of the numbers that plans hold (`kernel/assembly/plan.ts`). */
import { type Counts, noCounts } from './body.ts';

/** 0 means that it goes on. */
export const drops = [
  'none',
  'relabel',
  'too_many_labels',
  'too_long_label_name',
  'too_long_label_value',
  'hourly_series_limit',
  'daily_series_limit',
] as const;
export type Verdict = (typeof drops)[number];

/** What becomes of the samples of a series that rules of aggregation or a deduplicator look at. */
export const fates = ['goes_on', 'aggregated_in', 'dropped_input', 'deduplicated_in'] as const;
export type Fate = (typeof fates)[number];

/** What is held back before the destinations has the numbers from here on, in the order of `fates` without the first. */
export const HELD_BACK = drops.length;
/** Numbers of the kernel that are judged for each destination; then come the fates of its own, without the first. */
export const OTHER_SHARD = 14;
export const URL_RELABEL = 15;
const URL_HELD_BACK = 16;

/** The columns of the ledger that they end in. */
export const dropReasons = [
  'relabel',
  'too_many_labels',
  'too_long_label_name',
  'too_long_label_value',
  'hourly_series_limit',
  'daily_series_limit',
  'too_far_in_future',
  'aggregated_in',
  'dropped_input',
  'deduplicated_in',
  'restored',
  'url_relabel',
  'other_shard',
] as const;
export type DropReason = (typeof dropReasons)[number];

/** The reason that a number of the kernel stands for. */
export function dropReasonOf(judged: number): DropReason {
  if (judged === OTHER_SHARD) return 'other_shard';
  if (judged === URL_RELABEL) return 'url_relabel';
  if (judged >= URL_HELD_BACK) return fates[judged - URL_HELD_BACK + 1] as DropReason;
  return (drops[judged] ?? fates[judged - HELD_BACK + 1]) as DropReason;
}

/** Whether the reason is that samples went into the state of aggregation or deduplication. */
export function isHeldBack(judged: number): boolean {
  return judged >= URL_HELD_BACK || (judged >= HELD_BACK && judged < OTHER_SHARD);
}

export function noDrops(): Record<DropReason, Counts> {
  return Object.fromEntries(dropReasons.map((reason) => [reason, { ...noCounts }])) as Record<
    DropReason,
    Counts
  >;
}
