/** What the endpoints need of the rest of the daemon. */
import type { ExplainedSeries } from '../explainer.ts';
import type { Clock } from '../util/clock.ts';
import type { Meter } from '../util/meter.ts';
import type { StatusSource } from './status.ts';

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
  /** What happens to a series as people write it; undefined when the text is none. */
  readonly explain: (text: string) => ExplainedSeries | undefined;
  /** Begins to read the files of rules again; what comes of it is told by log and metrics. */
  readonly reload: () => void;
  readonly clock: Clock;
  readonly meter: Meter;
}
