import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

export const totalWork = {
  ...standardWork,
  // Counters leave out what is older than their last sample, so every scrape has the same time.
  workload: { ...standardWork.workload, scrapes: 1 },
  flags: ['-remoteWrite.forcePromProto', `-streamAggr.config=${ruleFile('total')}`],
  arrives: 'outputs',
  // Longer than the interval of the rule: its last window is told before the measurement ends.
  quietMs: 7_000,
} as const;

export const aggregateTotal = relayWork(
  '100,000 series into as many groups: total and sum_samples without instance and pod every 5s, one URL, snappy',
  totalWork,
  { samplesPerCpuSecondAtLeast: 4, peakRssAtMost: 1.5 },
);
