/** Four destinations, one of them down, at a rate that the relay can well take: do the other three notice? */
import type { Bench } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { decimals, type Figures, megabytes, type Scenario } from '../scenario.ts';
import { standardWork } from './relay-work.ts';

/** About 40 % of what the slower of the two takes with four destinations. */
const RATE = 200_000;
const SAMPLES = 4_000_000;
const DEAD = 3;

export const oneDead: Scenario = {
  title: `four destinations, one down, ${RATE} samples a second; snappy → snappy`,
  columns: [
    { key: 'leastPercent', title: '% at the worst of the others 2 s after the load', format: decimals(1) },
    { key: 'offeredSeconds', title: 'seconds of load', format: decimals(1) },
    { key: 'peakRssBytes', title: 'peak RSS', format: megabytes },
    { key: 'cpuSeconds', title: 'CPU-seconds', format: decimals(2) },
  ],
  async measure(bench: Bench, relay: Relay): Promise<Figures> {
    const outcome = await bench.run(relay, {
      ...standardWork,
      samples: SAMPLES,
      rate: RATE,
      destinations: 4,
      flags: ['-remoteWrite.forcePromProto', '-remoteWrite.retryMaxInterval=1s'],
      outage: [DEAD],
    });
    const others = outcome.deliveredDuringLoad.filter((_, index) => index !== DEAD);
    return {
      leastPercent: Math.min(...others) * 100,
      offeredSeconds: SAMPLES / RATE,
      peakRssBytes: outcome.peakRssBytes,
      cpuSeconds: outcome.cpuSeconds,
    };
  },
};
