import { relayWork, standardWork } from './relay-work.ts';

export const opentelemetry = relayWork(
  'OpenTelemetry metrics as protobuf, one URL, plain → snappy',
  { ...standardWork, format: 'opentelemetry', flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 1 },
);
