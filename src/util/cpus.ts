import { availableParallelism } from 'node:os';
import { Cgroup } from './cgroup.ts';

/** How many CPUs' worth of time this process may use; a control group can allow parts of one. */
export function availableCpus(cgroup: Pick<Cgroup, 'cpuLimit'> = new Cgroup()): number {
  return Math.min(cgroup.cpuLimit() ?? Number.POSITIVE_INFINITY, availableParallelism());
}
