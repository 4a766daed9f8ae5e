import { relayWork, standardWork } from './relay-work.ts';

export const importTwoGigabytes = relayWork(
  'one request with 2 GB of JSON lines, one URL, plain → snappy',
  {
    ...standardWork,
    workload: { ...standardWork.workload, scrapes: 2 },
    format: 'json-lines',
    warmUpSamples: 500_000,
    importBytes: 2_000_000_000,
    flags: ['-remoteWrite.forcePromProto'],
  },
  { samplesPerCpuSecondAtLeast: 1.2 },
);
