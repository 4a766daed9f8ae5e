/** The scenarios with targets differ only in their work; they share columns and the standard workload. */
import type { Bench, Work } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { decimals, type Figures, megabytes, millions, type Scenario } from '../scenario.ts';

/** 100,000 series, 2,000 a request, as the smallest of the public remote-write benches do. */
export const standardWork = {
  workload: { series: 100_000, seriesPerRequest: 2_000, scrapes: 5 },
  warmUpSamples: 2_000_000,
  samples: 20_000_000,
  connections: 4,
  destinations: 1,
  flags: [],
  pinned: true,
} as const satisfies Work;

export interface Targets {
  /** Absent: reported, not judged; the same below. */
  readonly samplesPerCpuSecondAtLeast?: number;
  readonly peakRssAtMost?: number;
}

export function relayWork(title: string, work: Work, targets: Targets): Scenario {
  return {
    title,
    columns: [
      {
        key: 'samplesPerCpuSecond',
        title: 'samples per CPU-second',
        format: millions,
        ...(targets.samplesPerCpuSecondAtLeast !== undefined && {
          target: { atLeast: targets.samplesPerCpuSecondAtLeast },
        }),
      },
      {
        key: 'peakRssBytes',
        title: 'peak RSS',
        format: megabytes,
        ...(targets.peakRssAtMost !== undefined && { target: { atMost: targets.peakRssAtMost } }),
      },
      { key: 'bytesPerSample', title: 'bytes out per sample', format: decimals(1) },
      { key: 'requestsOut', title: 'requests out', format: decimals(0) },
      { key: 'cpuSeconds', title: 'CPU-seconds', format: decimals(2) },
      { key: 'samplesPerSecond', title: 'samples per second', format: millions },
    ],
    async measure(bench: Bench, relay: Relay): Promise<Figures> {
      const outcome = await bench.run(relay, work);
      return {
        samplesPerCpuSecond: outcome.samples / outcome.cpuSeconds,
        peakRssBytes: outcome.peakRssBytes,
        bytesPerSample: outcome.bytesPerSample,
        requestsOut: outcome.requestsOut,
        cpuSeconds: outcome.cpuSeconds,
        samplesPerSecond: outcome.samples / outcome.wallSeconds,
      };
    },
  };
}
