/**
 * Quantiles over a sample of at most 1000 values a group and interval, as VictoriaMetrics' `valyala/histogram` draws it:
 * Vitter's algorithm R with an xorshift32 that begins at 1 in every reservoir, so that both relays tell the same numbers.
 * The smallest and the largest value are exact.
 */
import { goNumber } from '../go-number.ts';
import { Reservoirs } from '../reservoirs.ts';
import type { OutputDefinition } from './output.ts';

export const quantiles: OutputDefinition = {
  name: 'quantiles',
  summary: 'quantiles of the samples in the interval, each with the label quantile',
  args: {
    example: 'quantiles(0.5, 0.99)',
    check(phis) {
      if (phis.length === 0) return 'there is no quantile';
      if (phis.some((phi) => !(phi >= 0 && phi <= 1))) return 'a quantile is not between 0 and 1';
      return undefined;
    },
  },
  hasManyValues: (phis) => phis.length > 1,
  ignoresCounts: true,
  create({ groups, colours }, phis) {
    const reservoirs = Array.from({ length: colours }, () => new Reservoirs(groups));
    const labels = phis.map((phi) => ({ name: 'quantile', value: goNumber(phi) }));
    return {
      fold({ groups, values, length, colour }) {
        const reservoir = reservoirs[colour]!;
        for (let i = 0; i < length; i++) reservoir.add(groups[i]!, values[i]!);
      },
      flush(window) {
        const reservoir = reservoirs[window.colour]!;
        for (let i = 0; i < window.groupCount; i++) {
          const group = window.groups[i]!;
          if (reservoir.count(group) === 0) continue;
          const sorted = reservoir.sorted(group);
          for (const [index, phi] of phis.entries()) {
            window.emit(group, reservoir.quantile(group, sorted, phi), labels[index]!);
          }
        }
      },
      startWindow: (colour) => reservoirs[colour]!.startWindow(),
      get byteLength() {
        return reservoirs.reduce((sum, { byteLength }) => sum + byteLength, 0);
      },
      save(to) {
        for (const reservoir of reservoirs) reservoir.save(to);
      },
      load(from) {
        for (const reservoir of reservoirs) reservoir.load(from);
      },
    };
  },
};
