/** Without targets: how fast it goes with all cores, and how long a request takes at half of that. */
import type { Bench } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { decimals, type Figures, megabytes, millions, milliseconds, type Scenario } from '../scenario.ts';
import { standardWork } from './relay-work.ts';

const work = { ...standardWork, flags: ['-remoteWrite.forcePromProto'], pinned: false };

export const throughput: Scenario = {
  title: 'throughput with all cores (shared with generator and sink), and latency at half of it',
  columns: [
    { key: 'samplesPerSecond', title: 'samples per second', format: millions },
    { key: 'coresUsed', title: 'cores used', format: decimals(2) },
    { key: 'peakRssBytes', title: 'peak RSS', format: megabytes },
    { key: 'p50Ms', title: 'p50 at half', format: milliseconds },
    { key: 'p99Ms', title: 'p99 at half', format: milliseconds },
    { key: 'maxMs', title: 'max at half', format: milliseconds },
  ],
  async measure(bench: Bench, relay: Relay): Promise<Figures> {
    const full = await bench.run(relay, work);
    const samplesPerSecond = full.samples / full.wallSeconds;
    const half = await bench.run(relay, {
      ...work,
      samples: samplesPerSecond * 5,
      rate: samplesPerSecond / 2,
    });
    return {
      samplesPerSecond,
      coresUsed: full.cpuSeconds / full.wallSeconds,
      peakRssBytes: full.peakRssBytes,
      p50Ms: half.latencyMs.p50,
      p99Ms: half.latencyMs.p99,
      maxMs: half.latencyMs.max,
    };
  },
};
