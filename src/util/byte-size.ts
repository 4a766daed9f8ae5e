/** Sizes as people write them: `8MiB`, `1.5GB`, `4096`. */

const suffixes: readonly (readonly [string, number])[] = [
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
];

/** Bytes, rounded down; undefined if `text` is no size. */
export function parseByteSize(text: string): number | undefined {
  const lower = text.toLowerCase();
  const [suffix, factor] = suffixes.find(([name]) => lower.endsWith(name)) ?? ['', 1];
  const number = lower.slice(0, lower.length - suffix.length);
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(number)) return undefined;
  const bytes = Math.trunc(Number(number) * factor);
  return Number.isSafeInteger(bytes) ? bytes + 0 : undefined;
}

/** With the largest binary suffix that keeps it exact: `8MiB`, `1000`. */
export function formatByteSize(bytes: number): string {
  if (bytes === 0) return '0';
  const units = suffixes.slice(0, 4).toReversed();
  const [suffix, factor] = units.find(([, size]) => bytes % size === 0) ?? ['', 1];
  return `${bytes / factor}${suffix === '' ? '' : `${suffix[0]!.toUpperCase()}iB`}`;
}
