import { emitSampled, type OutputDefinition } from './output.ts';

export const countSamples: OutputDefinition = {
  name: 'count_samples',
  summary: 'the number of samples in the interval',
  create() {
    return {
      // The rule counts samples for all outputs.
      fold() {},
      flush: (window) => emitSampled(window, (_, count) => count),
    };
  },
};
