import { relayWork, standardWork } from './relay-work.ts';

export const passThroughZstd = relayWork(
  'pass-through, one URL, snappy → zstd (VictoriaMetrics protocol, level 3)',
  { ...standardWork, flags: ['-remoteWrite.forceVMProto'] },
  { samplesPerCpuSecondAtLeast: 2, peakRssAtMost: 2.5 },
);
