/** Who holds a flock: Node cannot take one, but Linux lists them. https://man7.org/linux/man-pages/man5/proc_locks.5.html */
import { readFile, stat } from 'node:fs/promises';

/**
 * The process that holds a flock on the file; undefined when there is none, no such file, or no telling: the list leaves
 * out processes of other containers, and other systems have none.
 */
export async function flockHolder(file: string, list = '/proc/locks'): Promise<number | undefined> {
  try {
    const { dev, ino } = await stat(file);
    return holderIn(await readFile(list, 'utf8'), dev, ino);
  } catch {
    return undefined;
  }
}

/** A line is `1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF`, the device in hexadecimal. */
export function holderIn(locks: string, dev: number, ino: number): number | undefined {
  for (const line of locks.split('\n')) {
    const match = /^\d+: FLOCK +\S+ +\S+ +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line);
    if (match === null) continue;
    const [, pid, major, minor, inode] = match;
    const device = deviceOf(Number.parseInt(major!, 16), Number.parseInt(minor!, 16));
    if (device === dev && Number(inode) === ino) return Number(pid);
  }
  return undefined;
}

/** As `stat` gives it: glibc's makedev(3). Arithmetic, since it may have more than 32 bits. */
function deviceOf(major: number, minor: number): number {
  return (major & 0xfff) * 2 ** 8 + (minor & 0xff) + (minor >>> 8) * 2 ** 20;
}
