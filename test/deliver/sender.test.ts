import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { parsePolicy, presets, type Rule } from '../../src/deliver/response-policy.ts';
import { type DeadLetter, Sender, type SenderConfig } from '../../src/deliver/sender.ts';
import type { Response, WireBlock } from '../../src/destination/destination.ts';
import { type Block, BlockMemory } from '../../src/model/block.ts';
import { noCounts } from '../../src/model/body.ts';
import type { BlockSource, Lease, LeaseKind, Outcome, Removal } from '../../src/model/delivery.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { decodeWriteRequest, encodeWriteRequest } from '../support/remote-write.ts';
import { FakeMeter } from './support.ts';

/** A queue without order: every block may be leased at any time; checks that a lease ends once. */
class FakeQueue implements BlockSource {
  readonly waiting: Block[] = [];
  readonly leased = new Set<Block>();
  readonly ended: [number, (Outcome | Removal)['kind'], string][] = [];
  readonly outcomes: (Outcome | Removal)[] = [];
  readonly #loops: ((lease: Lease | undefined) => void)[] = [];
  failures = 0;

  push(...blocks: Block[]): void {
    this.waiting.push(...blocks);
    this.#serve();
  }

  /** What was asked for. */
  readonly kinds: LeaseKind[] = [];

  close(): void {
    for (const resolve of this.#loops.splice(0)) resolve(undefined);
  }

  async lease(kind: LeaseKind = 'oldest'): Promise<Lease | undefined> {
    this.kinds.push(kind);
    if (this.failures > 0) {
      this.failures--;
      throw new Error('the queue is broken');
    }
    return new Promise((resolve) => {
      this.#loops.push(resolve);
      this.#serve();
    });
  }

  #serve(): void {
    while (this.waiting.length > 0 && this.#loops.length > 0)
      this.#loops.shift()!(this.#leaseOf(this.waiting.shift()!));
  }

  #leaseOf(block: Block): Lease {
    this.leased.add(block);
    const finish = () => assert.ok(this.leased.delete(block), 'a lease ends once');
    return {
      block,
      end: (outcome) => {
        finish();
        this.outcomes.push(outcome);
        this.ended.push([block.seq, outcome.kind, '']);
        this.#serve();
      },
      putBack: () => {
        finish();
        this.waiting.unshift(block);
        this.#serve();
      },
    };
  }
}

type Answer = number | Response | Error | 'hang' | 'deaf';

function setUp(answers: Answer[], over: Partial<SenderConfig> = {}, isFree = true) {
  const clock = new FakeClock();
  const queue = new FakeQueue();
  const meter = new FakeMeter();
  const log = recordingLogger();
  const sent: { block: WireBlock; atMs: number; answer: (answer: Response | Error) => void }[] = [];
  const downgrades: number[] = [];
  const transport = {
    send: (block: WireBlock, signal: AbortSignal) =>
      new Promise<Response>((resolve, reject) => {
        const settle = (answer: Response | Error) =>
          answer instanceof Error ? reject(answer) : resolve(answer);
        sent.push({ block, atMs: clock.monotonicMs(), answer: settle });
        const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
        if (answer === 'deaf') return;
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        if (answer === 'hang') return;
        settle(typeof answer === 'number' ? { status: answer, text: 'words' } : answer);
      }),
    isDoneWith: () => isFree,
    close: async () => {},
  };
  const config: SenderConfig = {
    name: 'one',
    shownUrl: '1:secret-url',
    parallel: 1,
    freshParallel: 0,
    backoff: { minMs: 1000, maxMs: 60_000 },
    rateLimitBytesPerS: 0,
    forceVmProto: false,
    codec: 'snappy',
    policy: presets.default!,
    ...over,
  };
  const letters: DeadLetter[] = [];
  const park = async (letter: DeadLetter) => void letters.push(letter);
  const onDowngrade = () => void downgrades.push(1);
  const sender = new Sender(config, {
    source: queue,
    transport,
    clock,
    log,
    meter,
    random: () => 0,
    park,
    onDowngrade,
  });
  sender.start();
  const value = (name: string, labels = {}) =>
    meter.value(`vmagent_remotewrite_${name}`, { url: '1:secret-url', ...labels });
  /** Enough turns of the event loop for everything that does not wait for the clock (zstd runs on other threads). */
  const settle = async (until?: () => boolean) => {
    for (let i = 0; i < 10; i++) await turn();
    while (until !== undefined && !until()) await turn();
  };
  return { clock, queue, meter, log, sent, letters, downgrades, sender, value, settle };
}

test('the bytes of a block are given up only when no socket reads them any more', async () => {
  for (const isFree of [true, false]) {
    const { queue, settle } = setUp([204], {}, isFree);
    const memory = new BlockMemory();
    const bytes = new Uint8Array(10);
    memory.hold();
    memory.pin();
    queue.push(makeBlock(1, { bytes, memory }));
    await settle(() => queue.ended.length > 0);
    memory.release(bytes);
    assert.equal(bytes.byteLength, isFree ? 0 : 10);
  }
});

test('a taken block ends as delivered and the next one goes', async () => {
  const { queue, sent, value, settle, sender } = setUp([200, 204]);
  queue.push(makeBlock(1), makeBlock(2));
  await settle();
  assert.deepEqual(queue.ended, [
    [1, 'delivered', ''],
    [2, 'delivered', ''],
  ]);
  assert.equal(sent.length, 2);
  assert.equal(value('blocks_sent_total'), 2);
  assert.equal(value('bytes_sent_total'), Buffer.byteLength('block 1block 2'));
  assert.equal(value('requests_total', { status_code: '2XX' }), 2);
  assert.equal(value('duration_seconds'), 2);
  assert.equal(value('retries_count_total'), 0);
  const status = sender.status();
  assert.equal(status.lastError, undefined);
  assert.equal(status.inFlight, 0);
  assert.ok(status.hasTakenBlocks && !status.isFailing);
});

test('a failing block is tried again with doubling waits, in its place, and a new one starts anew', async () => {
  const down = new Error('connection refused');
  const { clock, queue, sent, value, settle, sender } = setUp([503, down, 401, 200, 500, 200]);
  queue.push(makeBlock(1), makeBlock(2));
  await settle();
  assert.ok(sender.status().isWaiting && sender.status().isFailing);
  assert.match(sender.status().lastError!, /status 503: words/);
  for (const waitMs of [1000, 2000, 4000, 1000]) {
    const before = sent.length;
    clock.advance(waitMs - 1);
    await settle();
    assert.equal(sent.length, before, `nothing within ${waitMs} ms`);
    clock.advance(1);
    await settle();
  }
  assert.deepEqual(
    sent.map(({ atMs, block }) => [atMs, String(block.bytes)]),
    [
      [0, 'block 1'],
      [1000, 'block 1'],
      [3000, 'block 1'],
      [7000, 'block 1'],
      [7000, 'block 2'],
      [8000, 'block 2'],
    ],
  );
  assert.deepEqual(
    queue.ended.map(([seq]) => seq),
    [1, 2],
  );
  assert.equal(value('errors_total'), 1);
  assert.equal(value('retries_count_total'), 4);
  assert.equal(value('requests_total', { status_code: '503' }), 1);
  assert.equal(value('requests_total', { status_code: '401' }), 1);
  assert.equal(value('send_duration_seconds_total'), 8);
});

test('Retry-After sets the wait', async () => {
  const { clock, sent, queue, settle } = setUp([{ status: 429, text: '', retryAfter: '7' }, 503, 200]);
  queue.push(makeBlock(1));
  await settle();
  for (const ms of [7000, 14_000]) {
    clock.advance(ms);
    await settle();
  }
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 7000, 21_000],
  );
});

test('a refused block is rejected, and the next one goes', async () => {
  const { queue, value, settle, log } = setUp([400, 409, 415, 200]);
  queue.push(...[1, 2, 3, 4].map((seq) => makeBlock(seq)));
  await settle();
  assert.deepEqual(queue.ended, [
    [1, 'rejected', ''],
    [2, 'rejected', ''],
    [3, 'rejected', ''],
    [4, 'delivered', ''],
  ]);
  assert.equal(value('packets_dropped_total'), 3);
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 3);
});

const raw = Buffer.from('a remote write request, as far as this test is concerned');
const zstdBlock = (seq: number) =>
  makeBlock(seq, { codec: 'zstd', bytes: zstdCompressSync(raw), rawLength: raw.length });

test('a destination that turns zstd down gets the same data as snappy at once, and from then on', async () => {
  const { queue, sent, downgrades, value, settle, sender } = setUp([415, 200], { codec: 'zstd' });
  queue.push(zstdBlock(1), zstdBlock(2), makeBlock(3));
  await settle(() => queue.ended.length === 3);
  assert.deepEqual(
    sent.map(({ block, atMs }) => [block.codec, atMs]),
    [
      ['zstd', 0],
      ['snappy', 0],
      ['snappy', 0],
      ['snappy', 0],
    ],
  );
  assert.deepEqual(Buffer.from(snappy.uncompress(sent[1]!.block.bytes)), raw);
  assert.deepEqual(
    queue.ended.map(([, kind]) => kind),
    ['delivered', 'delivered', 'delivered'],
  );
  assert.equal(downgrades.length, 1);
  assert.equal(value('retries_count_total'), 1);
  assert.equal(sender.status().codec, 'snappy');
});

test('with a forced protocol only the refused block becomes snappy', async () => {
  const { queue, sent, downgrades, settle } = setUp([400, 200, 200], { forceVmProto: true, codec: 'zstd' });
  queue.push(zstdBlock(1), zstdBlock(2));
  await settle(() => queue.ended.length === 2);
  assert.deepEqual(
    sent.map(({ block }) => block.codec),
    ['zstd', 'snappy', 'zstd'],
  );
  assert.equal(downgrades.length, 0);
});

test('a 400 for the snappy form too rejects the block; a damaged zstd block is rejected as such', async () => {
  const { queue, settle } = setUp([400], { codec: 'zstd' });
  queue.push(zstdBlock(1), makeBlock(2, { codec: 'zstd', bytes: Buffer.from('garbage') }));
  await settle(() => queue.ended.length === 2);
  assert.deepEqual(queue.ended, [
    [1, 'rejected', ''],
    [2, 'rejected', ''],
  ]);
});

const counts = { series: 5, samples: 5, histograms: 2, exemplars: 3, metadata: 1 };
const written = (samples: number, histograms = 2, exemplars = 3) => ({ samples, histograms, exemplars });
const lost = (samples: number, histograms = 0, exemplars = 0) => ({
  series: 0,
  samples,
  histograms,
  exemplars,
  metadata: 0,
});

test('what a destination says that it did not take is rejected, the rest delivered, and nothing is sent again', async () => {
  const words = 'out of order';
  const { queue, sent, settle, value, sender } = setUp(
    [
      { status: 204, text: '', written: written(5), sentBytes: 77 },
      { status: 204, text: '', written: written(5, 2, 0) },
      { status: 400, text: words, written: written(3) },
    ],
    { policy: presets.prometheus! },
  );
  queue.push(...[1, 2, 3].map((seq) => makeBlock(seq, { counts })));
  await settle(() => queue.ended.length === 3);
  assert.equal(value('bytes_sent_total'), 77 + 'block 2'.length);
  assert.equal(value('packets_dropped_total'), 1, 'exemplars alone are none');
  assert.equal(sent.length, 3);
  assert.deepEqual(queue.outcomes, [
    { kind: 'delivered' },
    { kind: 'parts', parts: [{ kind: 'rejected', counts: lost(0, 0, 3) }] },
    { kind: 'parts', parts: [{ kind: 'rejected', counts: lost(2) }] },
  ]);
  assert.equal(sender.status().isFailing, true, 'a refusal is one');
});

test('a shortfall with a 2xx is no failure', async () => {
  const { queue, settle, sender, log } = setUp([{ status: 204, text: '', written: written(4) }]);
  queue.push(makeBlock(1, { counts }));
  await settle(() => queue.ended.length === 1);
  assert.equal(sender.status().isFailing, false);
  assert.deepEqual(
    log.lines.map(({ fields }) => (fields as { samples?: number }).samples),
    [1],
  );
});

test('N blocks are under way at the same time', async () => {
  const { queue, sent, settle, sender, value } = setUp(['hang'], { parallel: 3 });
  queue.push(...[1, 2, 3, 4].map((seq) => makeBlock(seq)));
  await settle();
  assert.equal(sent.length, 3);
  assert.equal(sender.status().inFlight, 3);
  assert.equal(value('queues'), 3);
});

test('the rate limit is charged once a block', async () => {
  const { clock, queue, sent, settle, value } = setUp([500, 200], { rateLimitBytesPerS: 7 });
  queue.push(makeBlock(1), makeBlock(2));
  await settle();
  clock.advance(1000);
  await settle();
  assert.deepEqual(
    sent.map(({ block }) => String(block.bytes)),
    ['block 1', 'block 1', 'block 2'],
  );
  assert.equal(value('rate_limit'), 7);
  assert.equal(value('rate_limit_reached_total'), 0);
});

test('a broken queue does not end a sender', async () => {
  const { clock, queue, settle, log } = setUp([200]);
  queue.failures = 2;
  queue.push(makeBlock(1), makeBlock(2));
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(1000);
  }
  await settle();
  assert.equal(queue.ended.length, 2);
  assert.ok(log.lines.some(({ message }) => /unexpectedly/.test(message)));
});

test('words of the peer reach the log escaped and bounded', async () => {
  const { queue, settle, log } = setUp([{ status: 500, text: `x\n\x1b${'y'.repeat(10_000)}` }]);
  queue.push(makeBlock(1));
  await settle();
  const { error } = log.lines[0]!.fields as { error: string };
  assert.match(error, /^status 500: x\\n\\u001byyy/);
  assert.ok(Buffer.byteLength(error) <= 4096);
});

// ---- stop

test('a stop sends what is there and then leases nothing more', async () => {
  const { queue, settle, sender, sent } = setUp(['hang', 200], { parallel: 2 });
  queue.push(...[1, 2, 3, 4, 5].map((seq) => makeBlock(seq)));
  await settle();
  assert.equal(queue.ended.length, 4);
  const stopped = sender.stop(5000);
  await settle();
  sent[0]!.answer({ status: 200, text: '' });
  await stopped;
  assert.equal(queue.ended.length, 5);
  queue.push(makeBlock(6));
  await settle();
  assert.deepEqual(
    queue.waiting.map(({ seq }) => seq),
    [6],
  );
  assert.equal(queue.leased.size, 0);
});

test('a stop ends waits at once and puts their blocks back', async () => {
  const { queue, settle, sender, clock } = setUp([503], { parallel: 2 });
  queue.push(makeBlock(1), makeBlock(2), makeBlock(3));
  await settle();
  await sender.stop(5000);
  assert.deepEqual(queue.waiting.map(({ seq }) => seq).sort(), [1, 2, 3]);
  assert.equal(queue.leased.size, 0);
  assert.equal(clock.monotonicMs(), 0);
});

test('a failure while stopping puts the block back without another try', async () => {
  const { queue, settle, sender, sent } = setUp(['hang', 503]);
  queue.push(makeBlock(1), makeBlock(2), makeBlock(3));
  await settle();
  const stopped = sender.stop(5000);
  sent[0]!.answer({ status: 200, text: '' });
  await stopped;
  assert.equal(sent.length, 2);
  assert.deepEqual(
    queue.waiting.map(({ seq }) => seq),
    [2, 3],
  );
});

test('what is under way at the deadline is aborted and put back, and is no error', async () => {
  const { queue, settle, sender, clock, value } = setUp(['hang'], { parallel: 2 });
  queue.push(makeBlock(1), makeBlock(2), makeBlock(3));
  await settle();
  const stopped = sender.stop(5000);
  clock.advance(4999);
  await settle();
  assert.equal(queue.leased.size, 2);
  clock.advance(1);
  await stopped;
  assert.deepEqual(queue.waiting.map(({ seq }) => seq).sort(), [1, 2, 3]);
  assert.equal(value('errors_total'), 0);
});

test('a transport that ignores the abort cannot hold up the stop, nor count its block twice later', async () => {
  const { queue, settle, sender, clock, sent } = setUp(['deaf']);
  queue.push(makeBlock(1));
  await settle();
  const stopped = sender.stop(1000);
  clock.advance(1500);
  await stopped;
  assert.deepEqual(
    queue.waiting.map(({ seq }) => seq),
    [1],
  );
  sent[0]!.answer({ status: 200, text: '' });
  await settle();
  assert.deepEqual(queue.ended, []);
});

test('a stop with nothing to do resolves at once, also when the queue is closed or stays open', async () => {
  for (const close of [true, false]) {
    const { queue, sender, settle } = setUp([200]);
    await settle();
    if (close) queue.close();
    await sender.stop(1000);
  }
});

test('every metric is there from the start', () => {
  const { meter } = setUp([200]);
  for (const name of [
    'queues',
    'rate_limit',
    'rate_limit_reached_total',
    'bytes_sent_total',
    'blocks_sent_total',
    'errors_total',
    'packets_dropped_total',
    'retries_count_total',
    'send_duration_seconds_total',
    'duration_seconds',
  ]) {
    assert.ok(meter.names.includes(`vmagent_remotewrite_${name}[["url","1:secret-url"]]`), name);
  }
});

/** A block of `n` series of one sample each, named `s0`, `s1`, … */
function blockOfSeries(n: number): Block {
  const raw = encodeWriteRequest(
    Array.from({ length: n }, (_, index) => ({
      labels: { __name__: `s${index}` },
      points: [{ timestampMs: 1, bits: 1n }],
    })),
  );
  const counts = { ...noCounts, series: n, samples: n };
  return makeBlock(n, { bytes: snappy.compress(raw), rawLength: raw.byteLength, counts });
}

const rules = (text: string): readonly Rule[] => {
  const parsed = parsePolicy(text);
  assert.ok(!('error' in parsed));
  return parsed;
};

/** A store that answers `status` when a bad series is in the request, and takes everything else. */
function pickyStore(bad: readonly string[], status: number, policy: string) {
  const world = setUp(['deaf'], { policy: rules(policy) });
  const taken: string[] = [];
  let answered = 0;
  const answerAll = async () => {
    while (answered < world.sent.length) {
      const { block, answer } = world.sent[answered++]!;
      const { series } = decodeWriteRequest(snappy.uncompress(block.bytes));
      const names = series.map(({ labels }) => labels.__name__!);
      const isBad = names.some((name) => bad.includes(name));
      if (!isBad) taken.push(...names);
      answer({ status: isBad ? status : 204, text: isBad ? 'bad name' : '' });
      await world.settle();
    }
  };
  return { ...world, taken, answerAll };
}

test('one bad series in a block is parked with the words of the store, everything else is delivered in order', async () => {
  const { queue, sent, letters, taken, settle, answerAll, log } = pickyStore(
    ['s7777'],
    400,
    'victoriametrics',
  );
  queue.push(blockOfSeries(10_000));
  await settle();
  await answerAll();
  assert.ok(sent.length <= 2 * Math.ceil(Math.log2(10_000)) + 1, `${sent.length} requests`);
  assert.deepEqual(
    taken,
    Array.from({ length: 10_000 }, (_, index) => `s${index}`).filter((name) => name !== 's7777'),
  );
  assert.equal(letters.length, 1);
  const [letter] = letters;
  assert.deepEqual(
    [letter!.status, letter!.message, letter!.series, letter!.counts.samples],
    [400, 'bad name', 's7777{}', 1],
  );
  assert.deepEqual(queue.outcomes, [
    { kind: 'parts', parts: [{ kind: 'dead_lettered', counts: letter!.counts }] },
  ]);
  assert.ok(log.lines.some(({ level, message }) => level === 'error' && /dead letters/.test(message)));
});

test('a block that is too large is halved until it is taken', async () => {
  const world = setUp(['deaf'], { policy: rules('mimir') });
  world.queue.push(blockOfSeries(8));
  await world.settle();
  for (let nth = 0; nth < world.sent.length; nth++) {
    const { block, answer } = world.sent[nth]!;
    const { series } = decodeWriteRequest(snappy.uncompress(block.bytes));
    answer({ status: series.length > 2 ? 413 : 200, text: '' });
    await world.settle();
  }
  assert.equal(world.sent.length, 1 + 2 + 4);
  assert.deepEqual(world.queue.outcomes, [{ kind: 'parts', parts: [] }]);
});

test('a block of bad series only does not cost requests without end', async () => {
  const bad = Array.from({ length: 2_000 }, (_, index) => `s${index}`);
  const { queue, sent, letters, settle, answerAll } = pickyStore(bad, 400, 'victoriametrics');
  queue.push(blockOfSeries(2_000));
  await settle();
  await answerAll();
  assert.ok(sent.length <= 512, `${sent.length} requests`);
  assert.equal(
    letters.reduce((sum, { counts }) => sum + counts.samples, 0),
    2_000,
  );
});

test('a part that meets a failing store waits and goes on where it was', async () => {
  const world = setUp([400, 503, 204, 204], { policy: rules('victoriametrics') });
  world.queue.push(blockOfSeries(2));
  await world.settle(() => world.sent.length === 2);
  world.clock.advance(1_000);
  await world.settle(() => world.queue.outcomes.length === 1);
  assert.equal(world.sent.length, 4);
  assert.deepEqual(world.queue.outcomes, [{ kind: 'parts', parts: [] }]);
});

test('a stop in the middle of the parts puts the whole block back', async () => {
  const world = setUp([400, 204, 503], { policy: rules('victoriametrics') });
  world.queue.push(blockOfSeries(2));
  await world.settle(() => world.sent.length === 3);
  await world.sender.stop(1_000);
  assert.deepEqual(world.queue.outcomes, []);
  assert.equal(world.queue.waiting.length, 1);
});

test('what a store keeps in part is done with, and said', async () => {
  const world = setUp([400], { policy: rules('mimir') });
  world.queue.push(makeBlock(1));
  await world.settle();
  assert.deepEqual(world.queue.outcomes, [{ kind: 'partly_delivered' }]);
  assert.equal(world.sent.length, 1);
});

test('a refused block can be parked as it is', async () => {
  const world = setUp([409], { policy: rules('victoriametrics') });
  world.queue.push(blockOfSeries(3));
  await world.settle(() => world.queue.outcomes.length === 1);
  assert.equal(world.letters[0]?.counts.samples, 3);
  assert.equal(world.sent.length, 1);
});

test('wrong credentials hold the block at the longest interval', async () => {
  const world = setUp([401, 401, 204], { policy: rules('mimir') });
  world.queue.push(makeBlock(1));
  await world.settle();
  world.clock.advance(59_000);
  await world.settle();
  assert.equal(world.sent.length, 1);
  world.clock.advance(1_000);
  await world.settle();
  world.clock.advance(60_000);
  await world.settle();
  assert.deepEqual(world.queue.outcomes, [{ kind: 'delivered' }]);
});

test('beside the senders for everything there are some for fresh blocks only', async () => {
  const world = setUp([204], { parallel: 2, freshParallel: 3 });
  await world.settle();
  assert.deepEqual(world.queue.kinds.sort(), ['fresh', 'fresh', 'fresh', 'oldest', 'oldest']);
});

test('a destination that comes back gets one request, then twice as many with each success', async () => {
  const world = setUp([503, 503, 503, 503, 'deaf'], { parallel: 4 });
  for (let seq = 1; seq <= 12; seq++) world.queue.push(makeBlock(seq));
  await world.settle();
  assert.equal(world.sent.length, 4, 'all at once while nothing is known of it');
  world.clock.advance(2_000);
  await world.settle();
  const open = world.sent.slice(4);
  const counts = [open.length];
  const answerOne = async (answer: number | Error) => {
    open.shift()!.answer(answer instanceof Error ? answer : { status: answer, text: '' });
    const before = world.sent.length;
    await world.settle();
    open.push(...world.sent.slice(before));
    counts.push(open.length);
  };
  for (const answer of [204, 204, 204]) await answerOne(answer);
  assert.deepEqual(counts, [1, 2, 4, 4]);
  await answerOne(new Error('reset'));
  for (let left = open.length; left > 1; left--) await answerOne(503);
  assert.deepEqual(counts.slice(4), [3, 2, 1], 'a failure ends it');
});

const DAY_MS = 24 * 3_600_000;
for (const [name, wallOf] of Object.entries({
  'an hour ahead': (now: number) => now + DAY_MS / 24,
  'an hour back': (now: number) => now - DAY_MS / 24,
  'a day ahead': (now: number) => now + DAY_MS,
  'a day back': (now: number) => now - DAY_MS,
  'to 1970': () => 0,
})) {
  test(`a wall clock that is set ${name} changes no wait`, async () => {
    const world = setUp([503, 503, 204]);
    world.queue.push(makeBlock(1));
    await world.settle();
    world.clock.setWall(wallOf(world.clock.nowMs()));
    world.clock.advance(999);
    await world.settle();
    assert.equal(world.sent.length, 1);
    world.clock.advance(1);
    await world.settle();
    world.clock.setWall(wallOf(world.clock.nowMs()));
    world.clock.advance(2_000);
    await world.settle();
    assert.deepEqual(
      world.sent.map(({ atMs }) => atMs),
      [0, 1_000, 3_000],
    );
    assert.equal(
      world.sender.status().isFailing,
      false,
      'a success after an error counts, whatever the clock says',
    );
  });

  test(`a Retry-After with a date, on a wall clock that is set ${name}`, async () => {
    const inTenSeconds = new Date(new FakeClock().nowMs() + 10_000).toUTCString();
    const world = setUp([{ status: 429, retryAfter: inTenSeconds, text: '' }, 204]);
    world.clock.setWall(wallOf(world.clock.nowMs()));
    world.queue.push(makeBlock(1));
    await world.settle();
    world.clock.advance(60_000);
    await world.settle();
    assert.deepEqual(world.queue.outcomes, [{ kind: 'delivered' }], 'at the longest interval at last');
    assert.ok(world.sent[1]!.atMs >= 1_000, 'and not before the shortest');
  });
}
