import { relayWork, standardWork } from './relay-work.ts';

export const smallRequests = relayWork(
  'many small requests (10 samples each), one URL, snappy → snappy',
  {
    ...standardWork,
    workload: { series: 100_000, seriesPerRequest: 10, scrapes: 2 },
    warmUpSamples: 200_000,
    samples: 2_000_000,
    connections: 16,
    flags: ['-remoteWrite.forcePromProto'],
  },
  { samplesPerCpuSecondAtLeast: 1, peakRssAtMost: 2.5 },
);
