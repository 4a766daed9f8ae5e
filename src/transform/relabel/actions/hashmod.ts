/** Sets a label to the hash of the joined source modulo a number. The hash is vmagent's, and not that of Prometheus. */
import { loadHash64 } from '../../../util/hash64.ts';
import { type Action, sourceOf, sourcesAndTarget } from '../action.ts';
import { Memo } from '../cache.ts';

const hash64 = await loadHash64();

export const hashmod: Action = {
  required: ['source_labels', 'target_label', 'modulus'],
  check: ({ modulus }) =>
    modulus > 0n
      ? undefined
      : { field: 'modulus', message: 'a hash modulo 0 is nothing', hint: 'write a whole number from 1 on' },
  reads: sourcesAndTarget,
  compile: (rule) => {
    const source = sourceOf(rule);
    const known = new Memo((text) => String(hash64(text) % rule.modulus));
    return (labels) => {
      labels.set(rule.targetLabel, known.get(source(labels)));
      return true;
    };
  },
};
