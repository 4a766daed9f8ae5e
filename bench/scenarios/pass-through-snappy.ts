import { relayWork, standardWork } from './relay-work.ts';

export const passThroughSnappy = relayWork(
  'pass-through, one URL, snappy → snappy',
  { ...standardWork, flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 3, peakRssAtMost: 2.5 },
);
