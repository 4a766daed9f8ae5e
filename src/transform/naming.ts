/** -usePromCompatibleNaming: metric and label names with the letters only that Prometheus always had. */
import { type Labels, NEW } from '../model/labels.ts';

const NAME = '__name__';
const notInMetric = /[^a-zA-Z0-9_:]/gu;
const notInLabel = /[^a-zA-Z0-9_]/gu;

/** Puts `_` in place of each other character; digits stay in front, and two labels may get one name. */
export function usePromCompatibleNaming(labels: Labels): void {
  const { names, values, origins } = labels;
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (name !== NAME) labels.rename(index, name.replace(notInLabel, '_'));
    else {
      const metric = values[index]!.replace(notInMetric, '_');
      if (metric === values[index]) continue;
      values[index] = metric;
      origins[index] = NEW;
    }
  }
}
