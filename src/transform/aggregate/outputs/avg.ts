import { emitSampled, type OutputDefinition } from './output.ts';

export const avg: OutputDefinition = {
  name: 'avg',
  summary: 'the average of all samples in the interval',
  create({ groups }) {
    const sums = groups.window();
    return {
      fold({ groups, values, length, colour }) {
        const sum = sums[colour]!.data;
        for (let i = 0; i < length; i++) sum[groups[i]!]! += values[i]!;
      },
      flush(window) {
        const sum = sums[window.colour]!.data;
        emitSampled(window, (group, count) => sum[group]! / count);
      },
    };
  },
};
