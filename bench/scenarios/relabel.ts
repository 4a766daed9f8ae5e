import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

export const relabel = relayWork(
  '12 typical relabeling rules, one URL, snappy',
  {
    ...standardWork,
    flags: ['-remoteWrite.forcePromProto', `-remoteWrite.relabelConfig=${ruleFile('typical')}`],
    arrives: 'shaped',
  },
  { samplesPerCpuSecondAtLeast: 3 },
);
