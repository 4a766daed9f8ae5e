/** -usePromCompatibleNaming: metric and label names with the letters only that Prometheus always had. */
import type { Labels } from '../model/labels.ts';

const NAME = '__name__';
const notInMetric = /[^a-zA-Z0-9_:]/gu;
const notInLabel = /[^a-zA-Z0-9_]/gu;

/** Puts `_` in place of each other character; digits stay in front, and two labels may get one name. */
export function usePromCompatibleNaming(labels: Labels): void {
  const { names, values } = labels;
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (name === NAME) labels.setAt(index, values[index]!.replace(notInMetric, '_'));
    else labels.rename(index, name.replace(notInLabel, '_'));
  }
}
