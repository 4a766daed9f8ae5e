/** Why a series does not reach a destination, in the order of the numbers that plans hold (`kernel/assembly/plan.ts`). */
import { type Counts, noCounts } from './body.ts';

/** 0 means that it goes on. The last two are judged for each destination, the others for all of them at once. */
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

/** Numbers 14 and 15 of the kernel. */
export const OTHER_SHARD = 14;
export const URL_RELABEL = 15;

/** The columns of the ledger that they end in. */
export const dropReasons = [
  'relabel',
  'too_many_labels',
  'too_long_label_name',
  'too_long_label_value',
  'hourly_series_limit',
  'daily_series_limit',
  'too_far_in_future',
  'url_relabel',
  'other_shard',
] as const;
export type DropReason = (typeof dropReasons)[number];

/** Those that keep a series from every destination. */
export const globalDropReasons = dropReasons.slice(0, -2);

/** The reason that a number of the kernel stands for. */
export function dropReasonOf(judged: number): DropReason {
  if (judged === OTHER_SHARD) return 'other_shard';
  if (judged === URL_RELABEL) return 'url_relabel';
  return drops[judged] as DropReason;
}

export function noDrops(): Record<DropReason, Counts> {
  return Object.fromEntries(dropReasons.map((reason) => [reason, { ...noCounts }])) as Record<
    DropReason,
    Counts
  >;
}
