/** Reads a `/metrics` page, and checks the ledger on it. */
import assert from 'node:assert/strict';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g;
const ESCAPES: Record<string, string> = { n: '\n' };

/** Every sample of the text exposition format; throws on a line that is none. */
export function parseMetrics(text: string): Sample[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const match = LINE.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const [, name, labelText = '', valueText] = match;
    const labels: Record<string, string> = {};
    for (const [, label, value] of labelText.matchAll(LABEL)) {
      labels[label!] = value!.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
    }
    return { name: name!, labels, value: Number(valueText!.replace('Inf', 'Infinity')) };
  });
}

/** The sum of all series of this name that carry these labels; undefined if there is none. */
export function metricSum(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** Label → value of the `column` series of one ledger. */
function columnsOf(samples: readonly Sample[]): Record<string, number> {
  return Object.fromEntries(samples.map(({ labels, value }) => [labels.column!, value]));
}

const without = (columns: Record<string, number>, ...names: string[]): number =>
  Object.entries(columns).reduce((sum, [column, value]) => (names.includes(column) ? sum : sum + value), 0);

export interface Ledger {
  readonly global: Readonly<Record<string, number>>;
  readonly destinations: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export function readLedger(samples: readonly Sample[]): Ledger {
  const global = columnsOf(samples.filter(({ name }) => name === 'sluice_ledger_samples_total'));
  const perDestination = samples.filter(({ name }) => name === 'sluice_ledger_destination_samples');
  const names = new Set(perDestination.map(({ labels }) => labels.destination!));
  const destinations = Object.fromEntries(
    [...names].map((name) => [
      name,
      columnsOf(perDestination.filter(({ labels }) => labels.destination === name)),
    ]),
  );
  return { global, destinations };
}

/** Every sample that came in is in exactly one column of outcomes, for each destination too. Holds at every quiet moment. */
export function assertLedgerBalances(samples: readonly Sample[]): Ledger {
  const ledger = readLedger(samples);
  const { received, replayed, taken_over: fromGlobal = 0 } = ledger.global;
  assert.ok(received !== undefined && replayed !== undefined, 'the ledger is on /metrics');
  assert.equal(
    received + replayed + fromGlobal,
    without(ledger.global, 'received', 'replayed', 'taken_over'),
    `received + replayed + taken_over ≠ Σ outcomes: ${JSON.stringify(ledger.global)}`,
  );
  assert.notEqual(Object.keys(ledger.destinations).length, 0, 'destinations are on /metrics');
  for (const [name, columns] of Object.entries(ledger.destinations)) {
    const { received: taken, replayed: again, recovered, taken_over: over = 0, ...outcomes } = columns;
    assert.ok(
      taken !== undefined && again !== undefined && recovered !== undefined,
      `${name} has its columns`,
    );
    const sum = Object.values(outcomes).reduce((total, value) => total + value, 0);
    assert.equal(
      taken + again + over + recovered,
      sum,
      `${name}: received + replayed + taken_over + recovered ≠ Σ outcomes: ${JSON.stringify(columns)}`,
    );
  }
  return ledger;
}
