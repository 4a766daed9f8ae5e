import { test } from 'node:test';
import { assertOutputs, counterSteps, flushOf, type History, sumOf } from '../../support/model.ts';

/** Increase a second by series: from its last sample before the window, or its first one, to its last one. */
function ratesOf(history: History): number[] {
  const { window } = flushOf(history);
  const bySeries = Map.groupBy(counterSteps(history), ({ event }) => event.series);
  return [...bySeries.values()].flatMap((steps) => {
    const from = steps.findLastIndex(({ increase }) => increase === undefined);
    const known = steps.slice(from);
    const inside = known.filter(({ event }) => event.window === window);
    // Its window told a rate only if it moved in time; if not, the baseline before it stays.
    let baseline = known[0]!.event.timestampMs;
    for (let earlier = known[0]!.event.window; earlier < window; earlier++) {
      const last = known.findLast(({ event }) => event.window === earlier);
      if (last !== undefined) baseline = Math.max(baseline, last.event.timestampMs);
    }
    const last = inside.at(-1);
    if (last === undefined) return [];
    const seconds = (last.event.timestampMs - baseline) / 1000;
    return seconds > 0 ? [sumOf(inside.map(({ increase }) => increase ?? 0)) / seconds] : [];
  });
}

test('rates are those of the series that moved in time', () => {
  assertOutputs(
    {
      rate_sum: (history): Record<string, number> => {
        const rates = ratesOf(history);
        return rates.length === 0 ? {} : { '': sumOf(rates) };
      },
      rate_avg: (history): Record<string, number> => {
        const rates = ratesOf(history);
        return rates.length === 0 ? {} : { '': sumOf(rates) / rates.length };
      },
    },
    600,
  );
});
