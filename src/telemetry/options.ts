import { options, type Values } from '../config/option.ts';

const PER_SECOND = 'How many of them one place in the program may write a second; 0 means no limit.';

export const telemetryOptions = options({
  loggerLevel: {
    kind: 'string',
    default: 'INFO',
    choices: ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'PANIC'],
    placeholder: 'level',
    summary: 'The least important messages that are logged.',
  },
  loggerFormat: {
    kind: 'string',
    default: 'default',
    choices: ['default', 'json'],
    summary: 'The form of the log. By default JSON lines, or readable text when the log goes to a terminal.',
  },
  loggerOutput: {
    kind: 'string',
    default: 'stderr',
    choices: ['stderr', 'stdout'],
    summary: 'Where the log goes.',
  },
  loggerDisableTimestamps: {
    kind: 'bool',
    default: false,
    summary: 'Leave the time out of the log, for collectors that add their own.',
  },
  loggerErrorsPerSecondLimit: {
    kind: 'int',
    default: 0,
    min: 0,
    summary: `Limits errors in the log. ${PER_SECOND}`,
  },
  loggerWarnsPerSecondLimit: {
    kind: 'int',
    default: 0,
    min: 0,
    summary: `Limits warnings in the log. ${PER_SECOND}`,
  },
  loggerMaxArgLen: {
    kind: 'int',
    default: 5000,
    min: 16,
    summary: 'Longer texts in the log are cut in the middle to this many characters.',
  },
  'metrics.exposeMetadata': {
    kind: 'bool',
    default: false,
    summary: 'Put the lines `# HELP` and `# TYPE` on /metrics.',
  },
  'memory.allowedPercent': {
    kind: 'float',
    default: 60,
    min: 1,
    max: 100,
    summary:
      'How much of the memory (of the machine, or of the container if that is less) may be used for data that waits and for what is known of series.',
  },
  'memory.allowedBytes': {
    kind: 'bytes',
    default: 0,
    min: 0,
    summary: 'The same as a size; 0 leaves it to -memory.allowedPercent.',
  },
  'memory.seriesBytes': {
    kind: 'bytes',
    default: 0,
    min: 0,
    ours: true,
    summary:
      'How much of it may be used for what is known of series, 100 to 200 bytes each. A series that is not known costs some 0.3 µs of CPU time a sample more. 0 takes 18 MiB, or what is of use (0.15 of the allowed memory at most) where an unknown series costs more: with aggregation, deduplication, limits on the number of series, and shards by all labels, or by all but some.',
  },
});

export type TelemetryValues = Values<typeof telemetryOptions>;
