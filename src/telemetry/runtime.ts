/** How Node is doing on the main thread: event loop, garbage collection, heap. What Go's `go_*` metrics are elsewhere. */
import { constants, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks';
import type { Clock } from '../util/clock.ts';
import type { Counter, Meter } from '../util/meter.ts';

/** Fine enough for stalls that clients notice; 20 wake-ups a second cost 0.02 % of a CPU. */
const DELAY_INTERVAL_MS = 50;

const gcKinds = [
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak_callbacks'],
] as const;

/** Node's entries of type `gc` say of which kind they are; the types do not know that. */
type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** Starts watching; the returned function stops it. */
export function watchRuntime(meter: Meter, clock: Clock): () => void {
  const stops = [watchDelay(meter, clock), watchGc(meter)];
  const loop = (name: string, help: string, field: 'active' | 'idle') =>
    meter.counterOf(name, help, {}, () => performance.eventLoopUtilization()[field] / 1_000);
  loop(
    'sluice_event_loop_active_seconds_total',
    'Time in which the event loop of the main thread ran.',
    'active',
  );
  loop(
    'sluice_event_loop_idle_seconds_total',
    'Time in which the event loop of the main thread waited.',
    'idle',
  );
  const memory = (part: 'heapUsed' | 'heapTotal' | 'external' | 'arrayBuffers', label: string) =>
    meter.gaugeOf('sluice_memory_bytes', 'Memory of the main thread, by kind.', { kind: label }, () => {
      return process.memoryUsage()[part];
    });
  memory('heapUsed', 'heap_used');
  memory('heapTotal', 'heap_total');
  memory('external', 'external');
  memory('arrayBuffers', 'array_buffers');
  return () => {
    for (const stop of stops) stop();
  };
}

/**
 * How late a timer fires. Not `monitorEventLoopDelay`: it has no buckets to expose, and what it holds would have to be
 * reset by whoever scrapes, which loses the stall that is just over.
 */
function watchDelay(meter: Meter, clock: Clock): () => void {
  const histogram = meter.histogram(
    'sluice_event_loop_delay_seconds',
    'How late timers of the main thread fire: what a request waits before anything looks at it.',
  );
  let cancel = () => {};
  const plan = () => {
    const dueMs = clock.monotonicMs() + DELAY_INTERVAL_MS;
    cancel = clock.after(DELAY_INTERVAL_MS, () => {
      histogram.observe(Math.max(0, clock.monotonicMs() - dueMs) / 1_000);
      plan();
    });
  };
  plan();
  return () => cancel();
}

function watchGc(meter: Meter): () => void {
  const counters = new Map<number, { runs: Counter; seconds: Counter }>(
    gcKinds.map(([kind, name]) => {
      const labels = { kind: name };
      return [
        kind,
        {
          runs: meter.counter('sluice_gc_runs_total', 'Garbage collections of the main thread.', labels),
          seconds: meter.counter('sluice_gc_seconds_total', 'Time in garbage collections.', labels),
        },
      ];
    }),
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as GcEntry[]) {
      const counter = counters.get(entry.detail.kind);
      counter?.runs.inc();
      counter?.seconds.inc(entry.duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
