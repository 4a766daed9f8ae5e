/** The `process_*` metrics, under the names that vmagent's dashboard looks for. What the system does not tell is absent. */
import { Cgroup } from '../util/cgroup.ts';
import type { Clock } from '../util/clock.ts';
import { availableCpus } from '../util/cpus.ts';
import type { Meter } from '../util/meter.ts';
import { type ProcSnapshot, parsePressure, readProc } from './proc.ts';

/** One scrape reads /proc once, not once for each metric. */
const SNAPSHOT_MS = 100;

const gauges: readonly (readonly [name: string, help: string, field: keyof ProcSnapshot])[] = [
  ['process_resident_memory_bytes', 'Memory in RAM.', 'residentBytes'],
  ['process_resident_memory_anon_bytes', 'Memory in RAM that no file backs.', 'residentAnonBytes'],
  ['process_resident_memory_file_bytes', 'Memory in RAM that a file backs.', 'residentFileBytes'],
  ['process_resident_memory_peak_bytes', 'The most memory in RAM so far.', 'residentPeakBytes'],
  ['process_virtual_memory_bytes', 'Address space.', 'virtualBytes'],
  ['process_num_threads', 'Threads.', 'threads'],
  ['process_open_fds', 'Open file descriptors.', 'openFds'],
  ['process_max_fds', 'File descriptors that may be open.', 'maxFds'],
];

const counters: readonly (readonly [name: string, help: string, field: keyof ProcSnapshot])[] = [
  ['process_io_read_bytes_total', 'Bytes read by system calls.', 'readBytes'],
  ['process_io_written_bytes_total', 'Bytes written by system calls.', 'writtenBytes'],
  ['process_io_storage_read_bytes_total', 'Bytes read from disks.', 'storageReadBytes'],
  ['process_io_storage_written_bytes_total', 'Bytes written to disks.', 'storageWrittenBytes'],
];

export interface ProcessPorts {
  readonly clock: Clock;
  /** Another root directory for tests. */
  readonly root?: string;
}

export function registerProcessMetrics(meter: Meter, { clock, root = '/' }: ProcessPorts): void {
  const cgroup = new Cgroup(root);
  const snapshot = cached(clock, () => readProc(root));
  for (const [name, help, field] of gauges) meter.gaugeOf(name, help, {}, () => snapshot()[field]);
  for (const [name, help, field] of counters) meter.counterOf(name, help, {}, () => snapshot()[field]);
  registerCpu(meter, cgroup);
  registerPressure(meter, cgroup);
  const startS = Math.round(clock.nowMs() / 1_000 - process.uptime());
  meter.gauge('process_start_time_seconds', 'When the process started, seconds since the epoch.').set(startS);
}

function cached<T>(clock: Clock, read: () => T): () => T {
  let value: T | undefined;
  let atMs = 0;
  return () => {
    const nowMs = clock.monotonicMs();
    if (value === undefined || nowMs - atMs >= SNAPSHOT_MS) {
      value = read();
      atMs = nowMs;
    }
    return value;
  };
}

function registerCpu(meter: Meter, cgroup: Cgroup): void {
  const read = (name: string, help: string, microseconds: () => number) =>
    meter.counterOf(name, help, {}, () => microseconds() / 1e6);
  read('process_cpu_seconds_total', 'CPU time of all threads.', () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  });
  read('process_cpu_seconds_user_total', 'CPU time in the program.', () => process.cpuUsage().user);
  read('process_cpu_seconds_system_total', 'CPU time in the kernel.', () => process.cpuUsage().system);
  meter.gaugeOf('process_cpu_cores_available', 'CPUs that may be used; a share of one counts.', {}, () =>
    availableCpus(cgroup),
  );
}

function registerPressure(meter: Meter, cgroup: Cgroup): void {
  for (const resource of ['cpu', 'io', 'memory'] as const) {
    const read = (kind: 'waiting' | 'stalled', help: string) =>
      meter.counterOf(`process_pressure_${resource}_${kind}_seconds_total`, help, {}, () => {
        const pressure = parsePressure(cgroup.pressure(resource));
        return kind === 'waiting' ? pressure.waitingS : pressure.stalledS;
      });
    read('waiting', `Time in which some of the control group's threads waited for ${resource}.`);
    read('stalled', `Time in which all of the control group's threads waited for ${resource}.`);
  }
}
