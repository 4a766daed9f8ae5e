/** What the promises of -remoteWrite.ack cost. A peer without them is measured as it is. */
import type { Bench } from '../bench.ts';
import type { Relay } from '../relay.ts';
import { type Figures, millions, type Scenario } from '../scenario.ts';
import { standardWork } from './relay-work.ts';

const modes = ['memory', 'written', 'synced'] as const;

export const acknowledgement: Scenario = {
  title: 'pass-through by what an acknowledgement promises, snappy → snappy',
  columns: modes.map((mode) => ({ key: mode, title: `${mode}: samples per CPU-second`, format: millions })),
  async measure(bench: Bench, relay: Relay): Promise<Figures> {
    const figures: Record<string, number> = {};
    for (const mode of modes) {
      const own = relay.name.startsWith('sluice') ? [`-remoteWrite.ack=${mode}`] : [];
      const outcome = await bench.run(relay, {
        ...standardWork,
        flags: ['-remoteWrite.forcePromProto', ...own],
      });
      figures[mode] = outcome.samples / outcome.cpuSeconds;
    }
    return figures;
  },
};
