/** The destination is down for the whole load, then takes everything. */
import type { Bench } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { decimals, type Figures, megabytes, millions, type Scenario } from '../scenario.ts';
import { standardWork } from './relay-work.ts';

export const outage: Scenario = {
  title: 'destination down for the whole load, then drained; snappy → snappy',
  columns: [
    { key: 'samplesPerCpuSecond', title: 'samples per CPU-second', format: millions, target: { atLeast: 2 } },
    { key: 'peakRssBytes', title: 'peak RSS', format: megabytes, target: { atMost: 2.5 } },
    {
      key: 'diskBytesPerSample',
      title: 'disk bytes per sample',
      format: decimals(1),
      target: { atMost: 1.1 },
    },
    { key: 'drainMicroseconds', title: 'CPU µs a sample to drain', format: decimals(3) },
  ],
  async measure(bench: Bench, relay: Relay): Promise<Figures> {
    const outcome = await bench.run(relay, {
      ...standardWork,
      // Short waits, so that the drain begins at once.
      flags: ['-remoteWrite.forcePromProto', '-remoteWrite.retryMaxInterval=1s'],
      outage: [0],
    });
    return {
      samplesPerCpuSecond: outcome.samples / outcome.cpuSeconds,
      peakRssBytes: outcome.peakRssBytes,
      diskBytesPerSample: outcome.diskBytes / outcome.samples,
      drainMicroseconds: (outcome.drainCpuSeconds / outcome.samples) * 1e6,
    };
  },
};
