/** Tables of the figures: medians with their spread, and the ratio of the medians against the targets. */
import type { Column, Figures, Scenario } from './scenario.ts';

export interface Series {
  readonly relay: string;
  readonly runs: readonly Figures[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const valuesOf = (series: Series, column: Column) => series.runs.map((run) => run[column.key]!);

/** Subject ÷ peer. */
export function ratioOf(column: Column, subject: Series, peer: Series): number {
  return median(valuesOf(subject, column)) / median(valuesOf(peer, column));
}

export function meetsTarget({ target }: Column, ratio: number): boolean {
  if (target === undefined) return true;
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

function ratioCell(column: Column, ratio: number): string {
  const { target } = column;
  if (target === undefined) return `${ratio.toFixed(2)}×`;
  const bound = 'atLeast' in target ? `≥ ${target.atLeast}×` : `≤ ${target.atMost}×`;
  return `**${ratio.toFixed(2)}×** (target ${bound}: ${meetsTarget(column, ratio) ? 'met' : 'MISSED'})`;
}

function cell(column: Column, values: readonly number[]): string {
  const text = column.format(median(values));
  if (values.length === 1) return text;
  return `${text} (${column.format(Math.min(...values))}–${column.format(Math.max(...values))})`;
}

/** A Markdown table: a row for each relay, and the ratio of the first to the second. */
export function table({ title, columns }: Scenario, all: readonly Series[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = [
    `### ${title}`,
    '',
    row(['', ...columns.map((column) => column.title)]),
    row(['---', ...columns.map(() => '---:')]),
    ...all.map((series) =>
      row([series.relay, ...columns.map((column) => cell(column, valuesOf(series, column)))]),
    ),
  ];
  const [subject, peer] = all;
  if (subject && peer) {
    const ratios = columns.map((column) => ratioCell(column, ratioOf(column, subject, peer)));
    lines.push(row([`${subject.relay} ÷ ${peer.relay}`, ...ratios]));
  }
  return `${lines.join('\n')}\n`;
}
