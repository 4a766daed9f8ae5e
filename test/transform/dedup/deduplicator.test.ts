import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/transform/aggregate/checkpoint.ts';
import { Deduplicator, type DeduplicatorOptions } from '../../../src/transform/dedup/deduplicator.ts';
import { OutputWriter } from '../../../src/transform/state/output-writer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { decodeWriteRequest, type Point, valueOfBits } from '../../support/remote-write.ts';
import { batchOf, labelsOf, type Sample, STALE } from '../support/batch.ts';
import { START_MS } from '../support/harness.ts';

const INTERVAL_MS = 30_000;
const OFFSET_MS = 1234;

class Setup {
  readonly clock = new FakeClock(START_MS + OFFSET_MS);
  readonly #options: DeduplicatorOptions;
  readonly #slotsMax: number;
  deduplicator: Deduplicator;
  readonly #refs = new Map<string, number>();

  constructor(options: Partial<DeduplicatorOptions> = {}, slotsMax = 100) {
    this.#options = { intervalMs: INTERVAL_MS, dropInputLabels: [], enableWindows: false, ...options };
    this.#slotsMax = slotsMax;
    this.deduplicator = this.create();
  }

  create(): Deduplicator {
    const { clock } = this;
    return new Deduplicator(this.#options, { clock, scope: 'global', slotsMax: this.#slotsMax });
  }

  push(name: string, samples: readonly Sample[]): boolean {
    const ref = this.#refs.get(name) ?? this.#refs.size;
    const isNew = !this.#refs.has(name);
    this.#refs.set(name, ref);
    const isHeld = isNew ? this.deduplicator.seriesPlan(ref, labelsOf(name)) : true;
    this.deduplicator.push(batchOf([{ ref, samples }]));
    return isHeld;
  }

  flush(how: 'flushDue' | 'finish' = 'flushDue'): string[] {
    const told: string[] = [];
    const writer = new OutputWriter();
    const drain = () => {
      while (this.deduplicator.untold > 0) {
        this.deduplicator.tell(writer, 1, 1000);
        for (const { labels, points } of decodeWriteRequest(writer.take()).series) {
          const [{ timestampMs, bits }] = points as [Point];
          const value = bits === STALE ? 'stale' : valueOfBits(bits);
          told.push(`${Labels.of(Object.entries(labels))} ${value} @${timestampMs - START_MS}`);
        }
      }
    };
    this.deduplicator[how](drain);
    drain();
    return told;
  }
}

/** Every sample is in one column. */
function accountOf({ deduplicator }: Setup) {
  const { received, resumed, tooOld, deduplicated, items, emitted } = deduplicator.stats();
  assert.equal(received + resumed, tooOld + deduplicated + items + emitted);
  return { came: received + resumed, tooOld, deduplicated, items, emitted };
}

test('the best sample goes on when its interval ends, with its own timestamp and sorted labels', () => {
  const setup = new Setup({ dropInputLabels: ['node', 'instance'] });
  setup.push('x{z="1",node="a"}', [
    [START_MS + 1000, 8943],
    [START_MS, 90984],
    [START_MS + 1000, 433],
  ]);
  setup.push('x{instance="b",z="1"}', [[START_MS + 500, 1]]);
  setup.push('y', [[START_MS + 2000, STALE]]);
  assert.equal(
    setup.deduplicator.nextFlushMs,
    START_MS + OFFSET_MS + INTERVAL_MS,
    'intervals count from the start',
  );
  assert.deepEqual(setup.flush(), []);
  setup.clock.advance(INTERVAL_MS);
  assert.deepEqual(setup.flush(), ['x{z="1"} 8943 @1000', 'y stale @2000']);
  const { received, deduplicated, emitted, items, series, flushTimeouts } = setup.deduplicator.stats();
  assert.deepEqual(
    { received, deduplicated, emitted, items, series, flushTimeouts },
    {
      received: 5,
      deduplicated: 3,
      emitted: 2,
      items: 0,
      series: 2,
      flushTimeouts: 0,
    },
  );
});

test('a series that was forgotten is still told, and then its place is free', () => {
  const setup = new Setup({}, 1);
  assert.ok(setup.push('a', [[START_MS, 1]]));
  setup.deduplicator.forget([0]);
  assert.equal(setup.push('b', [[START_MS, 2]]), false, 'there is room for one');
  assert.equal(
    setup.deduplicator.pushSeries(labelsOf('b'), batchOf([{ ref: 0, samples: [[1, 1]] }]), 0, 1),
    false,
  );
  setup.clock.advance(INTERVAL_MS);
  assert.deepEqual(setup.flush(), ['a 1 @0']);
  assert.ok(setup.push('c', [[START_MS, 3]]));
  setup.clock.advance(INTERVAL_MS);
  assert.deepEqual(setup.flush(), ['c 3 @0']);
});

test('series without a ref, and without any label', () => {
  const setup = new Setup({ dropInputLabels: ['a'] });
  const batch = batchOf([
    {
      ref: 0,
      samples: [
        [START_MS, 1],
        [START_MS + 1, 2],
      ],
    },
  ]);
  assert.ok(setup.deduplicator.pushSeries(labelsOf('x{a="1"}'), batch, 0, 2));
  assert.ok(setup.deduplicator.pushSeries(labelsOf('x'), batch, 0, 1));
  assert.equal(setup.deduplicator.pushSeries(labelsOf('{a="1"}'), batch, 0, 2), false);
  setup.clock.advance(INTERVAL_MS);
  assert.deepEqual(setup.flush(), ['x 2 @1']);
});

test('with windows, samples go on with their own window, late ones too', () => {
  const setup = new Setup({ enableWindows: true });
  const begin = START_MS + OFFSET_MS;
  setup.clock.advance(5000);
  setup.push('a', [
    [begin - 1, 1],
    [begin + 100, 2],
    [begin + INTERVAL_MS + 1, 3],
  ]);
  assert.equal(setup.deduplicator.nextFlushMs, begin + INTERVAL_MS + 4900, 'later by the largest delay');
  setup.clock.advance(INTERVAL_MS - 5000);
  assert.deepEqual(setup.flush(), []);
  setup.clock.advance(4900);
  assert.deepEqual(setup.flush(), [`a 2 @${OFFSET_MS + 100}`]);
  setup.clock.advance(INTERVAL_MS);
  assert.deepEqual(setup.flush(), [`a 3 @${OFFSET_MS + INTERVAL_MS + 1}`]);
  assert.deepEqual(accountOf(setup), { came: 3, tooOld: 1, deduplicated: 0, items: 0, emitted: 2 });
});

test('what is held survives a restart; a damaged part leaves it empty', () => {
  const setup = new Setup();
  setup.push('a', [[START_MS, STALE]]);
  setup.push('b{c="d"}', [[START_MS + 7, 1]]);
  setup.clock.advance(1000);
  const { bytes } = encodeCheckpoint(setup.deduplicator.save());
  const { parts } = decodeCheckpoint(bytes);
  setup.deduplicator = setup.create();
  const [[id, state]] = [...parts] as [[string, Uint8Array]];
  const broken = setup.deduplicator.load(new Map([[id, state.subarray(0, state.length - 3)]]));
  assert.equal(broken.restored, 0);
  assert.equal(broken.problems.length, 1);
  assert.deepEqual(setup.deduplicator.load(new Map()), { restored: 0, problems: [] });
  assert.deepEqual(setup.deduplicator.load(parts), { restored: 1, problems: [] });
  assert.deepEqual(accountOf(setup), { came: 2, tooOld: 0, deduplicated: 0, items: 2, emitted: 0 });
  setup.deduplicator.startAnew();
  assert.deepEqual(accountOf(setup), { came: 2, tooOld: 0, deduplicated: 0, items: 2, emitted: 0 });
  assert.equal(setup.deduplicator.stats().resumed, 2);
  setup.clock.advance(INTERVAL_MS - 1000);
  setup.deduplicator.flushDue();
  assert.equal(accountOf(setup).items, 2, 'they wait to be told');
  assert.deepEqual(setup.flush(), ['a stale @0', 'b{c="d"} 1 @7']);
  assert.deepEqual(accountOf(setup), { came: 2, tooOld: 0, deduplicated: 0, items: 0, emitted: 2 });
});

test('at an end without a checkpoint everything goes on', () => {
  const setup = new Setup({ enableWindows: true });
  const begin = START_MS + OFFSET_MS;
  setup.push('a', [
    [begin, 1],
    [begin + INTERVAL_MS + 1, 3],
  ]);
  assert.deepEqual(setup.flush('finish'), [`a 1 @${OFFSET_MS}`, `a 3 @${OFFSET_MS + INTERVAL_MS + 1}`]);
  assert.deepEqual(setup.flush('finish'), []);
});
