import { options } from '../config/option.ts';

export const queueOptions = options({
  'remoteWrite.tmpDataPath': {
    kind: 'string',
    default: 'vmagent-remotewrite-data',
    placeholder: 'path',
    summary:
      'Directory for everything that must survive a restart: unsent blocks of every destination and quarantined requests.',
  },
  'remoteWrite.drainTimeout': {
    kind: 'duration',
    default: 5000,
    ours: true,
    summary:
      'At a stop, how long destinations may take to accept what still waits for them. What is left then is written to -remoteWrite.tmpDataPath and sent after the next start.',
  },
  'remoteWrite.dropSamplesOnOverload': {
    kind: 'bool',
    default: false,
    summary:
      'Drop samples (counted in the ledger) instead of answering 503 when the queues of all destinations are full. While only some of several are full, those drop, so that they cannot slow the others.',
  },
});
