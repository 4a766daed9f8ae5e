/** Sums of what counters grew by: since the group began (`total`), or in the interval (`increase`). */
import { KIND, type Samples } from '../../state/samples.ts';
import { emitAll, emitSampled, type OutputDefinition, TOTAL_MAX } from './output.ts';

/** `countsFirsts`: the first sample of a series counts as an increase from 0 once the rule runs for a while. */
interface Kind {
  readonly countsFirsts: boolean;
  readonly isTotal: boolean;
}

function addIncreases({ groups, values, increases, kinds, length }: Samples, to: Float64Array): void {
  for (let i = 0; i < length; i++) to[groups[i]!]! += kinds[i] === KIND.first ? values[i]! : increases[i]!;
}

function addIncreasesOfKnown({ groups, increases, length }: Samples, to: Float64Array): void {
  for (let i = 0; i < length; i++) to[groups[i]!]! += increases[i]!;
}

function define(name: string, summary: string, { countsFirsts, isTotal }: Kind): OutputDefinition {
  return {
    name,
    summary,
    needs: 'counters',
    ...(isTotal && { ignoresCounts: true }),
    create(state) {
      const sums = state.groups.window();
      const totals = isTotal ? state.groups.column() : undefined;
      return {
        fold(samples) {
          const sum = sums[samples.colour]!.data;
          if (countsFirsts && samples.countsFirsts) addIncreases(samples, sum);
          else addIncreasesOfKnown(samples, sum);
        },
        flush(window) {
          const sum = sums[window.colour]!.data;
          if (totals === undefined) {
            emitSampled(window, (group) => sum[group]!);
            return;
          }
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
}

export const total = define(
  'total',
  'what all counters of the group grew by since it began; the first sample of a new series counts from 0',
  { countsFirsts: true, isTotal: true },
);

export const totalPrometheus = define(
  'total_prometheus',
  'as total, but the first sample of a series is only where counting begins',
  { countsFirsts: false, isTotal: true },
);

export const increase = define(
  'increase',
  'what all counters of the group grew by in the interval; the first sample of a new series counts from 0',
  { countsFirsts: true, isTotal: false },
);

export const increasePrometheus = define(
  'increase_prometheus',
  'as increase, but the first sample of a series is only where counting begins',
  { countsFirsts: false, isTotal: false },
);
