import type { OutputDefinition } from './output.ts';

export const last: OutputDefinition = {
  name: 'last',
  summary: 'the sample with the highest timestamp in the interval; of several the one that came last',
  ignoresCounts: true,
  create({ groups }) {
    // Only timestamps after 1970 are told.
    const times = groups.window();
    const kept = groups.window();
    return {
      fold({ groups, values, times: sampleTimes, length, colour }) {
        const time = times[colour]!.data;
        const value = kept[colour]!.data;
        for (let i = 0; i < length; i++) {
          const group = groups[i]!;
          if (sampleTimes[i]! < time[group]!) continue;
          time[group] = sampleTimes[i]!;
          value[group] = values[i]!;
        }
      },
      flush(window) {
        const time = times[window.colour]!.data;
        const value = kept[window.colour]!.data;
        for (let i = 0; i < window.groupCount; i++) {
          const group = window.groups[i]!;
          if (time[group]! > 0) window.emit(group, value[group]!);
        }
      },
    };
  },
};
