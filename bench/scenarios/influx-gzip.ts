import { relayWork, standardWork } from './relay-work.ts';

export const influxGzip = relayWork(
  'InfluxDB lines with ten fields, one URL, gzip → snappy',
  { ...standardWork, format: 'influx-gzip', flags: ['-remoteWrite.forcePromProto'] },
  { samplesPerCpuSecondAtLeast: 1.5 },
);
