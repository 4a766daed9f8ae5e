import { relayWork, standardWork } from './relay-work.ts';

export const shardFour = relayWork(
  'sharded over four URLs, snappy',
  {
    ...standardWork,
    destinations: 4,
    flags: ['-remoteWrite.forcePromProto', '-remoteWrite.shardByURL'],
    arrives: 'sharded',
  },
  { samplesPerCpuSecondAtLeast: 2.5, peakRssAtMost: 1 },
);
