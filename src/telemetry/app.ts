/** Metrics about the program itself: version, options, uptime, what it may use. */
import { availableParallelism } from 'node:os';
import type { Schema } from '../config/collect.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../util/clock.ts';
import type { MemoryLimit } from '../util/memory-limit.ts';
import type { Meter } from '../util/meter.ts';

export interface FlagValue {
  readonly name: string;
  /** As it may be shown: secrets are masked. */
  readonly value: string;
  readonly isSet: boolean;
}

export interface AppInfo {
  readonly version: string;
  /** Begins with `vmagent-`: vmagent's dashboard finds its jobs by that. */
  readonly versionLabel: string;
  readonly flags: readonly FlagValue[];
  readonly memory: MemoryLimit;
}

export function registerAppMetrics(meter: Meter, app: AppInfo, clock: Clock): void {
  const gauge = (name: string, help: string, value: number, labels = {}) =>
    meter.gauge(name, help, labels).set(value);
  gauge('vm_app_version', 'What is running.', 1, {
    version: app.versionLabel,
    short_version: `v${app.version}`,
  });
  const startMs = clock.monotonicMs();
  gauge('vm_app_start_timestamp', 'Start, seconds since the epoch.', Math.floor(clock.nowMs() / 1_000));
  meter.gaugeOf('vm_app_uptime_seconds', 'Time since the start.', {}, () =>
    Math.floor((clock.monotonicMs() - startMs) / 1_000),
  );
  gauge('vm_available_cpu_cores', 'CPUs that the program may use.', availableParallelism());
  gauge('vm_available_memory_bytes', 'Memory of the machine or of the container.', app.memory.availableBytes);
  gauge(
    'vm_allowed_memory_bytes',
    'Memory for data that waits: -memory.allowedPercent.',
    app.memory.allowedBytes,
  );
  for (const { name, value, isSet } of app.flags) {
    gauge('flag', 'The options.', 1, { name, value, is_set: String(isSet) });
  }
}

/** All options: what was given as /flags shows it, the others with their defaults. */
export function flagValues(schema: Schema, set: Config['set']): FlagValue[] {
  return schema.options.map(({ name, spec }) => {
    const given = set.get(name);
    const value = given ?? spec.defaultText ?? String(spec.default ?? '');
    return { name, value, isSet: given !== undefined };
  });
}
