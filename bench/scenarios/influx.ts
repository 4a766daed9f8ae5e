import { relayWork, standardWork } from './relay-work.ts';

export const influx = relayWork(
  'InfluxDB lines with ten fields, one URL, plain → snappy',
  { ...standardWork, format: 'influx', flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 1.5 },
);
