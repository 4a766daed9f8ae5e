import { relayWork, standardWork } from './relay-work.ts';

export const prometheusText = relayWork(
  'Prometheus text, one URL, plain → snappy',
  { ...standardWork, format: 'prometheus-text', flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 2 },
);
