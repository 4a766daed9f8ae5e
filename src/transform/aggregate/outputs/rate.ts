/**
 * How fast the counters of a group grow, a second: each series' increase in the interval over the time from its last
 * sample before the interval (or its first one) to its last sample in it.
 */
import { KIND } from '../../state/samples.ts';
import type { OutputDefinition } from './output.ts';

function define(name: string, summary: string, isAverage: boolean): OutputDefinition {
  return {
    name,
    summary,
    needs: 'counters',
    ignoresCounts: true,
    create(state) {
      const baselines = state.counters.column(Number.NaN);
      const lasts = state.counters.window(Number.NEGATIVE_INFINITY);
      const grown = state.counters.window();
      const sums = state.groups.window();
      const counts = state.groups.window();
      return {
        fold({ series, times, increases, kinds, length, colour }) {
          const baseline = baselines.data;
          const last = lasts[colour]!.data;
          const increase = grown[colour]!.data;
          for (let i = 0; i < length; i++) {
            const one = series[i]!;
            if (kinds[i] === KIND.outOfOrder) continue;
            if (kinds[i] === KIND.first) baseline[one] = times[i]!;
            last[one] = times[i]!;
            increase[one]! += increases[i]!;
          }
        },
        flush(window) {
          const last = lasts[window.colour]!.data;
          const increase = grown[window.colour]!.data;
          const sum = sums[window.colour]!.data;
          const count = counts[window.colour]!.data;
          for (let series = 0; series < state.seriesLimit(); series++) {
            const seconds = (last[series]! - baselines.data[series]!) / 1000;
            // NaN where the series is not known, -Infinity where it had no samples.
            if (!(seconds > 0)) continue;
            const group = state.groupOfSeries(series);
            sum[group]! += increase[series]! / seconds;
            count[group]! += 1;
            baselines.data[series] = last[series]!;
          }
          for (let i = 0; i < window.groupCount; i++) {
            const group = window.groups[i]!;
            const series = count[group]!;
            if (series > 0) window.emit(group, isAverage ? sum[group]! / series : sum[group]!);
          }
        },
      };
    },
  };
}

export const rateSum = define(
  'rate_sum',
  'the sum of the increases a second of all counters of the group',
  false,
);
export const rateAvg = define(
  'rate_avg',
  'the average increase a second of the counters of the group that had one',
  true,
);
