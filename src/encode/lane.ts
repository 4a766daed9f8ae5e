/**
 * Picks, for a group of destinations and a body, the cheapest lane that is still exact:
 *
 * - `verbatim`: the compressed bytes go on as they came. Snappy streams join without recompressing: their elements
 *   refer only backwards inside their own stream, so the sum of the lengths and the streams one after another are the
 *   snappy form of the messages one after another, and concatenated WriteRequests are one WriteRequest.
 * - `join`: the decoded message goes on as it is, and the joined messages are compressed once.
 * - `column`: series are looked at one by one and written anew.
 */
import type { Codec } from '../model/block.ts';
import { type Cut, noCounts, subtractCounts } from '../model/body.ts';
import { type Parcel, rowsOf } from './parcel.ts';

export type Lane = 'verbatim' | 'join' | 'column';

export interface LaneConfig {
  readonly codec: Codec;
  readonly metadata: boolean;
  readonly withoutHistograms?: boolean;
  readonly withoutExemplars?: boolean;
  readonly parallel: number;
  /** Series may be dropped, rewritten or owned by others. */
  readonly isShaped?: boolean;
}

export interface BlockLimits {
  readonly rowsMax: number;
  readonly rawBytesMax: number;
  readonly metadataMax: number;
  /** Of the group, not of a block. Absent: as much as there is use for. */
  readonly stencilBytesMax?: number;
}

/**
 * Snappy looks for repetitions within 64 KiB. Bodies much smaller than that share little with themselves: joined as they
 * came, requests of 10 samples took 66 bytes a sample, and 31 once compressed together.
 */
const VERBATIM_RAW_BYTES_MIN = 32 * 1024;

/** A block closes when it holds this many labels for each row of its limit: many labels make big blocks of few samples. */
export const LABELS_PER_ROW_MAX = 10;

/** Whether a snappy body of this length would go on as it came. */
export function isWorthVerbatim(rawLength: number): boolean {
  return rawLength >= VERBATIM_RAW_BYTES_MIN;
}

export function fitsOneBlock(parcel: Parcel, limits: BlockLimits): boolean {
  return (
    rowsOf(parcel.counts) <= limits.rowsMax &&
    parcel.labels <= limits.rowsMax * LABELS_PER_ROW_MAX &&
    parcel.counts.metadata <= limits.metadataMax &&
    parcel.rawLength <= limits.rawBytesMax
  );
}

/** What goes into blocks one after another: the parcel, or what lies between its cuts when it does not fit into one block. */
export function slicesOf(parcel: Parcel, limits: BlockLimits): readonly Parcel[] {
  if (parcel.cuts === undefined || parcel.cuts.length === 0 || fitsOneBlock(parcel, limits)) return [parcel];
  const { cuts, ...whole } = parcel;
  const { rawLength: bytes, elementsLength: elements, counts, labels } = whole;
  let from: Cut = { bytes: 0, elements: 0, counts: noCounts, labels: 0 };
  const slices: Parcel[] = [];
  for (const to of [...cuts, { bytes, elements, counts, labels }]) {
    if (to.bytes === from.bytes) continue;
    const own = { ...to.counts };
    subtractCounts(own, from.counts);
    slices.push({
      ...whole,
      rawPtr: whole.rawPtr + from.bytes,
      rawLength: to.bytes - from.bytes,
      elementsPtr: whole.elementsPtr + from.elements,
      elementsLength: elements === 0 ? 0 : to.elements - from.elements,
      counts: own,
      labels: to.labels - from.labels,
    });
    from = to;
  }
  return slices;
}

export function pickLane(config: LaneConfig, limits: BlockLimits, parcel: Parcel): Lane {
  const untouched =
    config.isShaped !== true &&
    parcel.suffixLength === 0 &&
    parcel.everySeriesHasData &&
    config.parallel === 1 &&
    (config.metadata || parcel.counts.metadata === 0) &&
    (config.withoutHistograms !== true || parcel.counts.histograms === 0) &&
    (config.withoutExemplars !== true || parcel.counts.exemplars === 0);
  if (!untouched || !slicesOf(parcel, limits).every((slice) => fitsOneBlock(slice, limits))) return 'column';
  if (config.codec === 'zstd') return 'join';
  return parcel.elementsLength > 0 && isWorthVerbatim(parcel.rawLength) ? 'verbatim' : 'join';
}
