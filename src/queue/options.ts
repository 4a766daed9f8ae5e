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
  'remoteWrite.maxDiskUsagePerURL': {
    kind: 'bytes',
    arity: 'destination',
    default: 0,
    min: 0,
    summary:
      'How many compressed bytes may wait for this destination; -remoteWrite.whenFull says what happens then. 0 means as many as the disk takes.',
  },
  'remoteWrite.disableOnDiskQueue': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    summary:
      'Keep what waits for this destination in memory only. At a stop it is still written to -remoteWrite.tmpDataPath.',
  },
  'remoteWrite.maxQueueAge': {
    kind: 'duration',
    arity: 'destination',
    default: 0,
    ours: true,
    summary:
      'Blocks that have waited for this destination for longer are dropped and counted. 0 means that they wait for as long as it takes.',
  },
  'remoteWrite.whenFull': {
    kind: 'string',
    choices: ['drop-oldest', 'drop-newest', 'refuse'],
    arity: 'destination',
    default: 'drop-oldest',
    placeholder: 'choice',
    ours: true,
    summary:
      'What happens when -remoteWrite.maxDiskUsagePerURL is reached: the oldest or the newest blocks are dropped and counted, or requests are refused with 503 and Retry-After until there is room.',
  },
  'remoteWrite.maxDeadLetterBytes': {
    kind: 'bytes',
    arity: 'destination',
    default: 256 * 1024 ** 2,
    min: 0,
    ours: true,
    summary:
      'How many bytes of what this destination refused for good are kept for a look and another try (sluice dlq); the oldest go first.',
  },
  'remoteWrite.ack': {
    kind: 'string',
    choices: ['memory', 'written', 'synced'],
    default: 'memory',
    placeholder: 'choice',
    ours: true,
    summary:
      'What an acknowledged request survives. memory: a stop in good order; written: also a kill of the relay (SIGKILL, out of memory); synced: also a power cut.',
  },
  'remoteWrite.ackMaxBytes': {
    kind: 'bytes',
    default: 1024 ** 3,
    min: 1024 ** 2,
    ours: true,
    summary:
      'How large the journal of -remoteWrite.ack=written and synced may get. Requests are refused with 503 while it is full.',
  },
  'remoteWrite.dropSamplesOnOverload': {
    kind: 'bool',
    default: false,
    summary:
      'Drop samples (counted in the ledger) instead of answering 503 when the queues of all destinations are full. While only some of several are full, those drop, so that they cannot slow the others.',
  },
});
