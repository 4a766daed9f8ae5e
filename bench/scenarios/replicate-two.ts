import { relayWork, standardWork } from './relay-work.ts';

export const replicateTwo = relayWork(
  'replicated to two URLs, snappy',
  { ...standardWork, destinations: 2, flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 3, peakRssAtMost: 2 },
);
