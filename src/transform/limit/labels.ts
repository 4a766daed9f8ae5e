/** -maxLabelsPerTimeseries, -maxLabelNameLen, -maxLabelValueLen: a series beyond a limit is dropped as a whole. */
import type { Verdict } from '../../model/drops.ts';
import type { Labels } from '../../model/labels.ts';

/** 0: no limit. Lengths are bytes of UTF-8. */
export interface LabelLimits {
  readonly labelsMax: number;
  readonly nameBytesMax: number;
  readonly valueBytesMax: number;
}

/** The limit that a series goes beyond; `none` when it keeps to all. */
export function checkLabels(
  { names, values }: Labels,
  { labelsMax, nameBytesMax, valueBytesMax }: LabelLimits,
): Verdict {
  if (labelsMax > 0 && names.length > labelsMax) return 'too_many_labels';
  if (nameBytesMax > 0 && names.some((name) => isLonger(name, nameBytesMax))) return 'too_long_label_name';
  if (valueBytesMax > 0 && values.some((value) => isLonger(value, valueBytesMax)))
    return 'too_long_label_value';
  return 'none';
}

/** UTF-8 takes one to three bytes for each unit of a string. */
function isLonger(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  return text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax;
}
