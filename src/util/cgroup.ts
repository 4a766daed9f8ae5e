/**
 * The limits of the control group that this process lives in: v2 (one hierarchy) or v1 (one for each controller).
 * https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The content of a small file of the kernel, undefined if there is none or it may not be read. */
export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export class Cgroup {
  readonly #mount: string;
  /** Controller → path of the group below its hierarchy; v2 has the one entry ''. */
  readonly #paths: ReadonlyMap<string, string>;
  readonly isV2: boolean;

  /** `root` is another root directory for tests. */
  constructor(root = '/') {
    this.#mount = join(root, 'sys/fs/cgroup');
    this.isV2 = existsSync(join(this.#mount, 'cgroup.controllers'));
    this.#paths = pathsOf(readKernelFile(join(root, 'proc/self/cgroup')) ?? '');
  }

  /** Bytes; undefined when nothing limits the group. */
  memoryLimitBytes(): number | undefined {
    const file = this.isV2 ? 'memory.max' : 'memory.limit_in_bytes';
    return smallest(this.#all('memory', file).map((text) => Number(text.trim())));
  }

  /** CPUs' worth of time that the group may use, for example 1.5; undefined when nothing limits it. */
  cpuLimit(): number | undefined {
    if (this.isV2) return smallest(this.#all('cpu', 'cpu.max').map((text) => ratio(text.split(' '))));
    const quotas = this.#all('cpu', 'cpu.cfs_quota_us');
    const periods = this.#all('cpu', 'cpu.cfs_period_us');
    return smallest(quotas.map((quota, index) => ratio([quota, periods[index] ?? ''])));
  }

  /** The group's own `cpu.pressure`, `io.pressure` or `memory.pressure`; there is none in v1. */
  pressure(resource: 'cpu' | 'io' | 'memory'): string | undefined {
    return this.isV2 ? readKernelFile(join(this.#directories('')[0]!, `${resource}.pressure`)) : undefined;
  }

  /** The file in the group and in every group above it: the strictest one counts. */
  #all(controller: string, file: string): string[] {
    const directories = this.#directories(controller);
    return directories.map((path) => readKernelFile(join(path, file))).filter((text) => text !== undefined);
  }

  #directories(controller: string): string[] {
    const base = this.isV2 ? this.#mount : join(this.#mount, controller);
    let path = this.#paths.get(this.isV2 ? '' : controller) ?? '/';
    const directories: string[] = [];
    for (; path !== '/' && path !== '.'; path = dirname(path)) directories.push(join(base, path));
    directories.push(base);
    // In a container without a namespace of its own the path is the host's, and only the mount point is there.
    return directories.filter((directory) => directory === base || existsSync(directory));
  }
}

/** Lines of /proc/self/cgroup: `4:memory:/path`, `1:cpu,cpuacct:/path`, `0::/path`. */
function pathsOf(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    // A path that climbs out of the mount belongs to a group outside of our namespace.
    if (match === null || match[2]!.includes('/..')) continue;
    for (const controller of match[1]!.split(',')) paths.set(controller, match[2]!);
  }
  return paths;
}

/** `max` and -1 mean no limit: NaN and negative numbers. */
function ratio([quota, period]: readonly string[]): number {
  return Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10);
}

function smallest(limits: readonly number[]): number | undefined {
  const real = limits.filter((limit) => limit > 0 && Number.isFinite(limit));
  return real.length === 0 ? undefined : Math.min(...real);
}
