import { emitSampled, type OutputDefinition } from './output.ts';

export const max: OutputDefinition = {
  name: 'max',
  summary: 'the largest sample in the interval',
  create({ groups }) {
    const kept = groups.window(Number.NEGATIVE_INFINITY);
    return {
      fold({ groups, values, length, colour }) {
        const data = kept[colour]!.data;
        for (let i = 0; i < length; i++) if (values[i]! > data[groups[i]!]!) data[groups[i]!] = values[i]!;
      },
      flush(window) {
        const data = kept[window.colour]!.data;
        emitSampled(window, (group) => data[group]!);
      },
    };
  },
};
