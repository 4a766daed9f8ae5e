import { emitAll, type OutputDefinition } from './output.ts';

export const sumSamples: OutputDefinition = {
  name: 'sum_samples',
  summary: 'the sum of all samples in the interval; 0 in an interval without samples',
  ignoresCounts: true,
  create({ groups }) {
    const sums = groups.window();
    return {
      fold({ groups, values, length, colour }) {
        const sum = sums[colour]!.data;
        for (let i = 0; i < length; i++) sum[groups[i]!]! += values[i]!;
      },
      flush(window) {
        const sum = sums[window.colour]!.data;
        emitAll(window, (group) => sum[group]!);
      },
    };
  },
};
