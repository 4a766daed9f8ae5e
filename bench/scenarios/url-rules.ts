import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

export const urlRules = relayWork(
  'relabeling rules of their own for two URLs, snappy',
  {
    ...standardWork,
    destinations: 2,
    flags: [
      '-remoteWrite.forcePromProto',
      `-remoteWrite.urlRelabelConfig=${ruleFile('first')},${ruleFile('second')}`,
    ],
    arrives: 'shaped',
  },
  { samplesPerCpuSecondAtLeast: 3 },
);
