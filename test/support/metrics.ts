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
  const incoming = ['received', 'replayed', 'taken_over', 'aggregated_out', 'deduplicated_out'];
  assert.ok(
    incoming.every((column) => ledger.global[column] !== undefined),
    'the ledger is on /metrics',
  );
  assert.equal(
    incoming.reduce((sum, column) => sum + ledger.global[column]!, 0),
    without(ledger.global, ...incoming),
    `${incoming.join(' + ')} ≠ Σ outcomes: ${JSON.stringify(ledger.global)}`,
  );
  assert.notEqual(Object.keys(ledger.destinations).length, 0, 'destinations are on /metrics');
  for (const [name, columns] of Object.entries(ledger.destinations)) {
    const sources = [...incoming, 'recovered'];
    assert.ok(
      sources.every((column) => columns[column] !== undefined),
      `${name} has its columns`,
    );
    assert.equal(
      sources.reduce((sum, column) => sum + columns[column]!, 0),
      without(columns, ...sources),
      `${name}: ${sources.join(' + ')} ≠ Σ outcomes: ${JSON.stringify(columns)}`,
    );
  }
  assertAggregationBalances(samples);
  return ledger;
}

/** So is every sample that rules of aggregation and deduplication took, at any moment. */
function assertAggregationBalances(samples: readonly Sample[]): void {
  const accounts = Map.groupBy(
    samples.filter(({ name }) => name === 'sluice_ledger_aggregation_samples'),
    ({ labels: { column: _, ...rest } }) => JSON.stringify(rest),
  );
  for (const [labels, columns] of accounts) {
    const account = columnsOf(columns);
    const { came, resumed } = account;
    assert.ok(came !== undefined && resumed !== undefined && account.held !== undefined);
    assert.equal(
      came + resumed,
      without(account, 'came', 'resumed'),
      `${labels}: came + resumed ≠ Σ the others: ${JSON.stringify(account)}`,
    );
  }
}
