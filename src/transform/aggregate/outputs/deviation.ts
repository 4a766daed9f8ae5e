/** Welford's running variance of a population: no sum of squares that would lose the difference of large numbers. */
import { emitSampled, type OutputDefinition } from './output.ts';

function deviation(name: string, summary: string, finish: (variance: number) => number): OutputDefinition {
  return {
    name,
    summary,
    create({ groups }) {
      const counts = groups.window();
      const means = groups.window();
      const squares = groups.window();
      return {
        fold({ groups, values, length, colour }) {
          const count = counts[colour]!.data;
          const mean = means[colour]!.data;
          const square = squares[colour]!.data;
          for (let i = 0; i < length; i++) {
            const group = groups[i]!;
            const n = count[group]! + 1;
            const before = mean[group]!;
            const after = before + (values[i]! - before) / n;
            count[group] = n;
            mean[group] = after;
            square[group]! += (values[i]! - before) * (values[i]! - after);
          }
        },
        flush(window) {
          const square = squares[window.colour]!.data;
          emitSampled(window, (group, count) => finish(square[group]! / count));
        },
      };
    },
  };
}

export const stddev = deviation('stddev', 'the standard deviation of the samples in the interval', Math.sqrt);
export const stdvar = deviation(
  'stdvar',
  'the variance of the samples in the interval',
  (variance) => variance,
);
