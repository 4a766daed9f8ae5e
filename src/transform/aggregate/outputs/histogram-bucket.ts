import { bucketOf, rangeOf } from '../../../util/vm-buckets.ts';
import type { Rows } from '../../state/columns.ts';
import { Buckets } from '../buckets.ts';
import type { OutputDefinition } from './output.ts';

export const histogramBucket: OutputDefinition = {
  name: 'histogram_bucket',
  summary:
    'how many samples fell into each bucket since the group began, with the label vmrange; not below 0',
  hasManyValues: () => true,
  ignoresCounts: true,
  create({ groups, colours }) {
    const told = new Buckets(groups);
    // With one colour, samples go where they are told from.
    const windows = colours === 1 ? [told] : windowsOf(groups);
    const all = new Set([told, ...windows]);
    return {
      fold({ groups, values, length, colour }) {
        const buckets = windows[colour]!;
        for (let i = 0; i < length; i++)
          if (values[i]! >= 0) buckets.add(groups[i]!, bucketOf(values[i]!), 1);
      },
      flush(window) {
        const buckets = windows[window.colour]!;
        for (let i = 0; i < window.groupCount; i++) {
          const group = window.groups[i]!;
          if (buckets !== told) {
            buckets.each(group, (bucket, count) => told.add(group, bucket, count));
            buckets.clear(group);
          }
          told.each(group, (bucket, count) => {
            window.emit(group, count, { name: 'vmrange', value: rangeOf(bucket) });
          });
        }
      },
      clear(group) {
        for (const buckets of all) buckets.clear(group);
      },
      get byteLength() {
        return [...all].reduce((sum, { byteLength }) => sum + byteLength, 0);
      },
      save(to) {
        for (const buckets of all) buckets.save(to);
      },
      load(from) {
        for (const buckets of all) buckets.load(from);
      },
    };
  },
};

const windowsOf = (groups: Rows) => [new Buckets(groups), new Buckets(groups)];
