import { options } from '../config/option.ts';

export const engineOptions = options({
  'engine.thread': {
    kind: 'string',
    default: 'auto',
    choices: ['auto', 'own', 'main'],
    ours: true,
    summary:
      'Where series are worked on: on a thread of their own, so that two CPUs can be busy, or on the main thread, which takes less memory and less CPU time. `auto` takes a thread of its own where there is more than one CPU.',
  },
});
