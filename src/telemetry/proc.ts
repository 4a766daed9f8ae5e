/** What the kernel tells of this process under /proc. Everything is NaN where there is no /proc, or no such line. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readKernelFile } from '../util/cgroup.ts';

const KIB = 1024;

export interface ProcSnapshot {
  readonly residentBytes: number;
  readonly residentAnonBytes: number;
  readonly residentFileBytes: number;
  readonly residentPeakBytes: number;
  readonly virtualBytes: number;
  readonly threads: number;
  readonly openFds: number;
  readonly maxFds: number;
  /** Through system calls, from or to whatever: files, sockets, pipes. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** What really went to or came from a disk. */
  readonly storageReadBytes: number;
  readonly storageWrittenBytes: number;
}

/** `root` is another root directory for tests. */
export function readProc(root: string): ProcSnapshot {
  const directory = join(root, 'proc/self');
  const status = fieldsOf(readKernelFile(join(directory, 'status')));
  const io = fieldsOf(readKernelFile(join(directory, 'io')));
  const field = (fields: ReadonlyMap<string, number>, name: string) => fields.get(name) ?? Number.NaN;
  return {
    residentBytes: field(status, 'VmRSS') * KIB,
    residentAnonBytes: field(status, 'RssAnon') * KIB,
    residentFileBytes: field(status, 'RssFile') * KIB,
    residentPeakBytes: field(status, 'VmHWM') * KIB,
    virtualBytes: field(status, 'VmSize') * KIB,
    threads: field(status, 'Threads'),
    openFds: countFds(join(directory, 'fd')),
    maxFds: maxFdsOf(readKernelFile(join(directory, 'limits'))),
    readBytes: field(io, 'rchar'),
    writtenBytes: field(io, 'wchar'),
    storageReadBytes: field(io, 'read_bytes'),
    storageWrittenBytes: field(io, 'write_bytes'),
  };
}

/** Lines like `VmRSS:     43048 kB` and `rchar: 3234`; others are left out. */
function fieldsOf(text = ''): Map<string, number> {
  const matches = text.matchAll(/^(\w+):\s+(\d+)(?: kB)?$/gm);
  return new Map(Array.from(matches, ([, name, number]) => [name!, Number(number)]));
}

function countFds(directory: string): number {
  try {
    return readdirSync(directory).length;
  } catch {
    return Number.NaN;
  }
}

/** The soft limit: `Max open files            1024                 524288               files`. */
function maxFdsOf(text = ''): number {
  const limit = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit ?? Number.NaN);
}

export interface Pressure {
  /** At least one thread waited. */
  readonly waitingS: number;
  /** No thread could work. */
  readonly stalledS: number;
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345` (microseconds), and the same for `full`. */
export function parsePressure(text = ''): Pressure {
  const seconds = (line: string) =>
    Number(new RegExp(`^${line} .*total=(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN) / 1e6;
  return { waitingS: seconds('some'), stalledS: seconds('full') };
}
