/** CPU time and memory of a process and everything it started, from /proc (Linux). */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Stat {
  parent: number;
  cpuSeconds: number;
}

/** proc(5): the command (field 2) may hold spaces and parentheses, so fields are counted from the last `)`. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0); // u, s, and reaped children's
    return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** The process and its descendants. */
function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = pid > 0 ? readStat(pid) : undefined;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const tree = [root];
  for (let index = 0; index < tree.length; index++) tree.push(...(children.get(tree[index]!) ?? []));
  return tree;
}

/** User and system time in seconds, of all threads. */
export function cpuSeconds(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + (readStat(pid)?.cpuSeconds ?? 0), 0);
}

function statusBytes(root: number, key: 'VmHWM' | 'VmRSS'): number {
  const line = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm');
  return processTree(root).reduce((sum, pid) => {
    const match = line.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return sum + Number(match?.[1] ?? 0) * 1024;
  }, 0);
}

export const peakRssBytes = (root: number): number => statusBytes(root, 'VmHWM');
export const rssBytes = (root: number): number => statusBytes(root, 'VmRSS');
