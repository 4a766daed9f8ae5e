/** Durations as people write them: Go's (`1h30m`, `1.5s`, `250ms`) and VictoriaMetrics' `d`, `w` and `y`. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Milliseconds by unit. A year has 365 days, as in VictoriaMetrics. */
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek mu
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};

/** One amount with its unit; `ms` must be tried before `m`. */
const AMOUNT = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|y)/y;

/** Milliseconds; undefined if `text` is no duration. A number without a unit is none, but `0` is. */
export function parseDurationMs(text: string): number | undefined {
  const negative = text.startsWith('-');
  const amounts = negative || text.startsWith('+') ? text.slice(1) : text;
  if (amounts === '0') return 0;
  if (amounts === '') return undefined;
  let totalMs = 0;
  AMOUNT.lastIndex = 0;
  while (AMOUNT.lastIndex < amounts.length) {
    const match = AMOUNT.exec(amounts);
    if (match === null) return undefined;
    totalMs += Number(match[1]) * unitMs[match[2]!]!;
  }
  return negative && totalMs !== 0 ? -totalMs : totalMs;
}

/** The shortest of the usual forms: `1h30m`, `1.5s`, `250ms`, `0s`. `parseDurationMs` gives the same number back. */
export function formatDurationMs(durationMs: number): string {
  if (durationMs < 0) return `-${formatDurationMs(-durationMs)}`;
  if (durationMs === 0) return '0s';
  let rest = durationMs;
  let text = '';
  for (const [unit, ms] of [
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['m', MINUTE_MS],
  ] as const) {
    const count = Math.floor(rest / ms);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * ms;
  }
  if (rest === 0) return text;
  return text + (rest >= SECOND_MS && rest % 1 === 0 ? `${rest / SECOND_MS}s` : `${decimal(rest)}ms`);
}

/** Without an exponent, which durations do not have. */
function decimal(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/0+$/, '') : text;
}
