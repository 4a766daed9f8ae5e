/** Sets a label to the hash of the joined source modulo a number. The hash is vmagent's, and not that of Prometheus. */
import { xxhash64 } from '../../../util/xxhash64.ts';
import { type Action, sourceOf } from '../action.ts';

export const hashmod: Action = {
  required: ['source_labels', 'target_label', 'modulus'],
  check: ({ modulus }) =>
    modulus > 0n
      ? undefined
      : { field: 'modulus', message: 'a hash modulo 0 is nothing', hint: 'write a whole number from 1 on' },
  compile: (rule) => {
    const source = sourceOf(rule);
    return (labels) => {
      labels.set(rule.targetLabel, String(xxhash64(source(labels)) % rule.modulus));
      return true;
    };
  },
};
