/** What the endpoints need of the rest of the daemon. */
import type { Explain } from '../explainer.ts';
import type { Clock } from '../util/clock.ts';
import type { Meter } from '../util/meter.ts';
import type { RelabelSource } from './relabel-debug.ts';
import type { StatusSource } from './status.ts';
import type { StreamAggSource } from './stream-agg.ts';

/** An option that was set, as it may be shown: secrets are masked already. */
export interface SetOption {
  readonly name: string;
  readonly value: string;
}

export interface ServicePorts {
  readonly version: string;
  /** The whole of `/metrics` in the text exposition format. */
  readonly metricsText: () => Promise<string>;
  readonly setOptions: () => readonly SetOption[];
  readonly status: StatusSource;
  readonly explain: Explain;
  /** Begins to read the files of rules again; what comes of it is told by log and metrics. */
  readonly reload: () => void;
  readonly relabel: RelabelSource;
  readonly aggregation: StreamAggSource;
  readonly clock: Clock;
  readonly meter: Meter;
}
