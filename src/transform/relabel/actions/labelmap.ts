/** Copies labels to the names that the regex and the replacement make of theirs; what has such a name is overwritten. */
import type { Action } from '../action.ts';
import { setLimited, wholeTransform } from '../transform.ts';

export const labelmap: Action = {
  compile: ({ regex, replacement }) => {
    const transform = wholeTransform(regex, replacement);
    return (labels) => {
      // Copies are appended and are not copied again.
      const count = labels.length;
      for (let index = 0; index < count; index++) {
        const name = labels.names[index]!;
        const copy = transform(name);
        if (copy !== null && copy !== name) setLimited(labels, copy, labels.values[index]!);
      }
      return true;
    };
  },
};
