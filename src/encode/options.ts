import { options } from '../config/option.ts';

export const encodeOptions = options({
  'remoteWrite.flushInterval': {
    kind: 'duration',
    default: 1000,
    min: 5,
    summary: 'How long samples may wait for a block to fill before the block is sent as it is.',
  },
  'remoteWrite.maxBlockSize': {
    kind: 'bytes',
    default: 8 * 1024 * 1024,
    min: 1024,
    max: 32 * 1024 * 1024,
    summary: 'The largest block that is sent, measured before compression.',
  },
  'remoteWrite.maxRowsPerBlock': {
    kind: 'int',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    summary: 'The largest number of samples in a block.',
  },
  'remoteWrite.maxMetadataPerBlock': {
    kind: 'int',
    default: 5000,
    min: 1,
    max: 1_000_000,
    summary: 'The largest number of metadata entries in a block.',
  },
  'remoteWrite.vmProtoCompressLevel': {
    kind: 'int',
    default: 0,
    min: -22,
    max: 22,
    summary:
      'The zstd level of the VictoriaMetrics protocol. 0 means the default of zstd (3); higher levels send fewer bytes for more CPU time.',
  },
  'remoteWrite.disableNativeHistograms': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    ours: true,
    summary: 'Send no native histograms to this destination.',
  },
  'remoteWrite.disableExemplars': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    ours: true,
    summary: 'Send no exemplars to this destination.',
  },
  'remoteWrite.disableMetadata': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    summary: 'Send no metric metadata (type, help, unit) to this destination.',
  },
});
