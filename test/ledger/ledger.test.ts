import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DestinationLedger, type LedgerColumn } from '../../src/ledger/ledger.ts';
import { type Counts, noCounts } from '../../src/model/body.ts';

const of = (samples: number, metadata = 0): Counts => ({ ...noCounts, samples, metadata });

function sumOf(
  columns: readonly LedgerColumn[],
  kind: 'samples' | 'metadata',
  left: readonly string[],
): number {
  return columns.reduce(
    (sum, { column, counts }) => sum + (left.includes(column) ? counts[kind] : -counts[kind]),
    0,
  );
}

test('what came in is in exactly one column', () => {
  const ledger = new DestinationLedger();
  ledger.withholds = ['metadata'];
  ledger.accept(of(100, 7));
  ledger.recover(of(5));
  ledger.route(of(60));
  ledger.end('delivered', of(30));
  ledger.end('rejected', of(10));
  ledger.end('damaged', of(2));
  ledger.end('dropped_queue_full', of(8));
  // 60 routed + 5 recovered − 50 ended = 15 pending; 40 are still in the engine.
  const columns = ledger.columns(of(40), of(15));
  assert.equal(sumOf(columns, 'samples', ['received', 'recovered']), 0);
  assert.equal(
    sumOf(columns, 'metadata', ['received', 'recovered']),
    0,
    'metadata that nobody takes is withheld',
  );
  assert.equal(sumOf(ledger.wayToQueue(of(40)), 'samples', ['received']), 0);
});

test('a sample that vanished unbalances it', () => {
  const ledger = new DestinationLedger();
  ledger.accept(of(100));
  ledger.route(of(99));
  assert.equal(sumOf(ledger.columns(noCounts, of(99)), 'samples', ['received', 'recovered']), 1);
});

test('what a quarantined request had lost is found and booked', () => {
  const ledger = new DestinationLedger();
  ledger.accept(of(100, 3));
  ledger.route(of(70, 3));
  assert.deepEqual(ledger.unaccounted(of(20)), of(10));
  ledger.quarantine(ledger.unaccounted(of(20)));
  assert.deepEqual(ledger.unaccounted(of(20)), noCounts);
  assert.equal(sumOf(ledger.wayToQueue(of(20)), 'samples', ['received']), 0);
});

test('a block that ends in parts is in the column of each part, and the rest is delivered', () => {
  const ledger = new DestinationLedger();
  const counts = { ...noCounts, samples: 10, metadata: 2 };
  ledger.finish(counts, { kind: 'rejected' });
  ledger.finish(counts, {
    kind: 'parts',
    parts: [
      { kind: 'dead_lettered', counts: { ...noCounts, samples: 3 } },
      { kind: 'rejected', counts: { ...noCounts, metadata: 1 } },
    ],
  });
  assert.deepEqual([ledger.ended.rejected.samples, ledger.ended.rejected.metadata], [10, 3]);
  assert.deepEqual([ledger.ended.dead_lettered.samples, ledger.ended.delivered.samples], [3, 7]);
  assert.equal(ledger.ended.delivered.metadata, 1);
});

test('what was placed anew is in the columns of both, and where a body comes from in its own', () => {
  const old = new DestinationLedger();
  old.accept(of(10));
  old.route(of(10));
  old.end('rerouted', of(4));
  old.finish(of(1), { kind: 'damaged' });
  const parts = [{ kind: 'rejected', counts: of(2) }] as const;
  old.finish(of(5), { kind: 'parts', parts });
  const left = ['received', 'replayed', 'taken_over', 'recovered'];
  assert.equal(sumOf(old.columns(noCounts, noCounts), 'samples', left), 0);
  assert.deepEqual([old.ended.delivered.samples, old.ended.rejected.samples], [3, 2]);
  const next = new DestinationLedger();
  next.withholds = ['metadata'];
  next.accept(of(4, 1), 'queue');
  next.accept(of(3), 'journal');
  next.drop('other_shard', of(2));
  next.route(of(5));
  assert.deepEqual([next.received.samples, next.replayed.samples, next.takenOver.samples], [0, 3, 4]);
  for (const kind of ['samples', 'metadata'] as const) {
    assert.equal(sumOf(next.columns(noCounts, of(5)), kind, left), 0);
    assert.equal(sumOf(next.wayToQueue(noCounts), kind, left), 0);
  }
  assert.deepEqual(next.unaccounted(noCounts), noCounts);
});

test('what a destination takes none of is withheld once, whatever else becomes of it', () => {
  const counts = { series: 5, samples: 4, histograms: 3, exemplars: 2, metadata: 1 };
  const ledger = new DestinationLedger();
  ledger.withholds = ['histograms', 'exemplars'];
  ledger.accept(counts);
  ledger.drop('relabel', { series: 2, samples: 1, histograms: 1, exemplars: 1, metadata: 0 });
  ledger.refuse(counts);
  ledger.route({ ...counts, samples: 3, histograms: 0, exemplars: 0 });
  assert.deepEqual(
    [ledger.withheld.histograms, ledger.withheld.exemplars, ledger.withheld.metadata],
    [6, 4, 0],
  );
  assert.deepEqual([ledger.dropped.relabel.samples, ledger.dropped.relabel.histograms], [1, 0]);
  assert.deepEqual([ledger.quarantined.samples, ledger.quarantined.exemplars], [4, 0]);
  const { samples, histograms, exemplars, metadata } = ledger.unaccounted(noCounts);
  assert.deepEqual([samples, histograms, exemplars, metadata], [0, 0, 0, 0]);
});
