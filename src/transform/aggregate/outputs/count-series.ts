import { emitSampled, type OutputDefinition } from './output.ts';

export const countSeries: OutputDefinition = {
  name: 'count_series',
  summary: 'the number of series with samples in the interval',
  needs: 'series',
  create(state) {
    const counts = state.groups.window();
    const isCounted = state.series.window();
    return {
      fold({ groups, series, length, colour }) {
        const count = counts[colour]!.data;
        const counted = isCounted[colour]!.data;
        for (let i = 0; i < length; i++) {
          const one = series[i]!;
          if (counted[one]! !== 0) continue;
          counted[one] = 1;
          count[groups[i]!]! += 1;
        }
      },
      flush(window) {
        const count = counts[window.colour]!.data;
        emitSampled(window, (group) => count[group]!);
      },
    };
  },
};
