import { emitAll, type OutputDefinition, TOTAL_MAX } from './output.ts';

export const sumSamplesTotal: OutputDefinition = {
  name: 'sum_samples_total',
  summary:
    'the sum of all samples since the group began: for clients that send how much came since the last time',
  ignoresCounts: true,
  create(state) {
    const sums = state.groups.window();
    const totals = state.groups.column();
    return {
      fold({ groups, values, length, colour }) {
        const sum = sums[colour]!.data;
        for (let i = 0; i < length; i++) sum[groups[i]!]! += values[i]!;
      },
      flush(window) {
        const sum = sums[window.colour]!.data;
        const total = totals.data;
        emitAll(window, (group) => {
          const value = total[group]! + sum[group]!;
          total[group] = Math.abs(value) >= TOTAL_MAX ? 0 : value;
          return value;
        });
      },
    };
  },
};
