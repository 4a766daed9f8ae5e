import { UniqueValues } from '../unique-values.ts';
import { emitSampled, type OutputDefinition } from './output.ts';

export const uniqueSamples: OutputDefinition = {
  name: 'unique_samples',
  summary: 'the number of different values in the interval',
  create({ groups, colours }) {
    const counts = groups.window();
    const seen = Array.from({ length: colours }, () => new UniqueValues());
    return {
      fold({ groups, values, length, colour }) {
        const count = counts[colour]!.data;
        const known = seen[colour]!;
        for (let i = 0; i < length; i++) if (known.add(groups[i]!, values[i]!)) count[groups[i]!]! += 1;
      },
      flush(window) {
        const count = counts[window.colour]!.data;
        emitSampled(window, (group) => count[group]!);
      },
      startWindow: (colour) => seen[colour]!.clear(),
      get byteLength() {
        return seen.reduce((sum, { byteLength }) => sum + byteLength, 0);
      },
      save(to) {
        for (const one of seen) one.save(to);
      },
      load(from) {
        for (const one of seen) one.load(from);
      },
    };
  },
};
