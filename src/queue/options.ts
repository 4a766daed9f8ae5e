import { options } from '../config/option.ts';

export const queueOptions = options({
  'remoteWrite.tmpDataPath': {
    kind: 'string',
    default: 'vmagent-remotewrite-data',
    placeholder: 'path',
    summary:
      'Directory for everything that must survive a restart: unsent blocks of every destination and quarantined requests.',
  },
  'remoteWrite.dropSamplesOnOverload': {
    kind: 'bool',
    default: false,
    summary:
      'Drop samples (counted in the ledger) instead of answering 503 when the memory queue of the only destination is full. With several destinations the full one always drops, so that it cannot slow the others.',
  },
});
