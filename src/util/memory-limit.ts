/** How much memory there is for this process, and how much of it caches and queues may take. */
import { totalmem } from 'node:os';
import { Cgroup } from './cgroup.ts';

export interface MemoryLimit {
  /** What the machine has, or what the control group allows if that is less. */
  readonly availableBytes: number;
  /** The share of it that is meant for data. */
  readonly allowedBytes: number;
}

export interface MemorySettings {
  /** 1 to 100; counts when `allowedBytes` is 0. */
  readonly allowedPercent: number;
  readonly allowedBytes: number;
}

export function memoryLimit(
  { allowedPercent, allowedBytes }: MemorySettings,
  cgroup: Pick<Cgroup, 'memoryLimitBytes'> = new Cgroup(),
  physicalBytes = totalmem(),
): MemoryLimit {
  // v1 says "unlimited" by a number that no machine has.
  const availableBytes = Math.min(cgroup.memoryLimitBytes() ?? physicalBytes, physicalBytes);
  const share = Math.floor((availableBytes * allowedPercent) / 100);
  return { availableBytes, allowedBytes: allowedBytes > 0 ? allowedBytes : share };
}
