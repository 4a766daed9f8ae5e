import { relayWork, standardWork } from './relay-work.ts';

export const jsonLines = relayWork(
  'JSON lines with ten samples each, one URL, plain → snappy',
  {
    ...standardWork,
    workload: { ...standardWork.workload, scrapes: 2 },
    format: 'json-lines',
    flags: ['-remoteWrite.forcePromProto'],
  },
  { samplesPerCpuSecondAtLeast: 1.2 },
);
