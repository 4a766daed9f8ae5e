/** What the relay takes when there is nothing to do, ten seconds after its start. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { decimals, type Figures, megabytes, type Scenario } from '../scenario.ts';
import { cpuSeconds, rssBytes } from '../usage.ts';

const SETTLE_MS = 10_000;
const UNUSED_PORT = 9; // discard: nothing is ever sent

export const idle: Scenario = {
  title: 'idle',
  columns: [
    { key: 'rssBytes', title: 'RSS', format: megabytes },
    { key: 'cpuPercent', title: 'CPU % of a core', format: decimals(2) },
  ],
  async measure(bench: Bench, relay: Relay): Promise<Figures> {
    const running = await bench.start(relay, { flags: [], pinned: false }, [UNUSED_PORT]);
    const before = cpuSeconds(running.pid);
    await delay(SETTLE_MS);
    const figures = {
      rssBytes: rssBytes(running.pid),
      cpuPercent: ((cpuSeconds(running.pid) - before) / (SETTLE_MS / 1000)) * 100,
    };
    await running.stop();
    return figures;
  },
};
