/** Copies labels to the names that the regex and the replacement make of theirs; what has such a name is overwritten. */
import type { Action } from '../action.ts';
import { PlaceMemo } from '../cache.ts';
import { setLimited, wholeTransform } from '../transform.ts';

export const labelmap: Action = {
  reads: ({ regex, replacement }) => {
    const transform = wholeTransform(regex, replacement);
    const matches = (name: string) => {
      const copy = transform(name);
      return copy !== null && copy !== name;
    };
    return { values: [], matches };
  },
  compile: ({ regex, replacement }) => {
    const known = new PlaceMemo(wholeTransform(regex, replacement));
    return (labels) => {
      // Copies are appended and are not copied again.
      const count = labels.length;
      for (let index = 0; index < count; index++) {
        const name = labels.names[index]!;
        const copy = known.get(index, name);
        if (copy !== null && copy !== name) setLimited(labels, copy, labels.values[index]!);
      }
      return true;
    };
  },
};
