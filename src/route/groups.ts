/** Destinations whose blocks look the same form a group, for which the engine encodes and compresses once. */
import type { Codec } from '../model/block.ts';

export interface BlockNeeds {
  readonly codec: Codec;
  readonly level: number;
  readonly metadata: boolean;
  readonly withoutHistograms?: boolean;
  readonly withoutExemplars?: boolean;
  /** It gets remote write 2.0, which has a place for the start of samples. Does not split groups: others pass over it. */
  readonly takesStarts?: boolean;
  /** How many blocks with disjoint series the destination wants side by side. */
  readonly parallel: number;
  /** Destinations with equal numbers see series in the same form. */
  readonly form?: number;
  /** Its number among the shards; undefined when it gets every series. */
  readonly shard?: number | undefined;
}

export interface Group extends BlockNeeds {
  /** Indexes into the list of destinations. */
  readonly members: readonly number[];
}

/** The groups in the order of their first members; the same needs always give the same groups. */
export function groupDestinations(needs: readonly BlockNeeds[]): Group[] {
  const groups = new Map<
    string,
    Omit<BlockNeeds, 'takesStarts'> & { takesStarts?: boolean; members: number[] }
  >();
  for (const [index, need] of needs.entries()) {
    const key = `${need.codec}/${need.codec === 'zstd' ? need.level : 0}/${need.metadata}/${need.withoutHistograms}/${need.withoutExemplars}/${need.parallel}/${need.form ?? 0}/${need.shard}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { ...need, members: [index] });
      continue;
    }
    group.members.push(index);
    if (need.takesStarts) group.takesStarts = true;
  }
  return [...groups.values()];
}
