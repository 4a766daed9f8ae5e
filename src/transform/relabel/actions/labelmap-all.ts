/** Renames labels in place, every match in a name; two labels may get one name. */
import type { Action } from '../action.ts';
import { searchTransform } from '../transform.ts';

export const labelmapAll: Action = {
  reads: ({ regex, replacement }) => {
    const transform = searchTransform(regex, replacement);
    return { values: [], matches: (name) => transform(name) !== name };
  },
  compile: ({ regex, replacement }) => {
    const transform = searchTransform(regex, replacement);
    return (labels) => {
      for (let index = 0; index < labels.length; index++)
        labels.rename(index, transform(labels.names[index]!));
      return true;
    };
  },
};
