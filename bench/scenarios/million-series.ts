import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

export const millionSeries = relayWork(
  'a million active series, 12 typical relabeling rules, one URL, snappy',
  {
    ...standardWork,
    workload: { series: 1_000_000, seriesPerRequest: 2_000, scrapes: 1 },
    warmUpSamples: 1_000_000,
    samples: 10_000_000,
    flags: ['-remoteWrite.forcePromProto', `-remoteWrite.relabelConfig=${ruleFile('typical')}`],
    arrives: 'shaped',
  },
  { samplesPerCpuSecondAtLeast: 1, peakRssAtMost: 2 },
);
