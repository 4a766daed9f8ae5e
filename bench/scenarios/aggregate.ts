import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

export const aggregate = relayWork(
  '3 rules of stream aggregation, 100,000 series into 1,000 groups, one URL, snappy',
  {
    ...standardWork,
    flags: ['-remoteWrite.forcePromProto', `-streamAggr.config=${ruleFile('aggregation')}`],
    arrives: 'outputs',
  },
  { samplesPerCpuSecondAtLeast: 3 },
);
