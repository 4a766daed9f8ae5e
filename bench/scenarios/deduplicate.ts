import { relayWork, standardWork } from './relay-work.ts';

export const deduplicate = relayWork(
  'deduplication of 100,000 series every 10s, one URL, snappy',
  {
    ...standardWork,
    flags: ['-remoteWrite.forcePromProto', '-streamAggr.dedupInterval=10s'],
    arrives: 'outputs',
    quietMs: 12_000,
  },
  { samplesPerCpuSecondAtLeast: 3 },
);
