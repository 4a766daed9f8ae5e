/** Bodies that are taken in pieces. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { Admission } from '../../src/ingest/admission.ts';
import { BodySource } from '../../src/ingest/body-source.ts';
import { BodyStream, type StreamSettings } from '../../src/ingest/body-stream.ts';
import { BodyWatch } from '../../src/ingest/body-watch.ts';
import { type Body, type BodyEncoding, noCounts, type Verdict } from '../../src/model/body.ts';
import { linePieces } from '../../src/protocol/lines.ts';
import { BufferPool } from '../../src/util/buffer-pool.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { randomFrom } from '../support/random.ts';
import {
  assertServes,
  FakeIntake,
  fetchText,
  open,
  RecordingMeter,
  readToEnd,
  request,
  settled,
  startServer,
  verdictOf,
} from './harness.ts';

const MIB = 1024 * 1024;
const TYPE = { type: 'vmimport' };
const OVERLOADED: Verdict = { ok: false, status: 503, reason: 'overloaded', error: 'full', retryAfterS: 5 };
const MALFORMED: Verdict = { ok: false, status: 400, reason: 'malformed', error: 'bad piece' };

const encoders: readonly [BodyEncoding, (bytes: Uint8Array) => Uint8Array][] = [
  ['plain', (bytes) => bytes],
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['zstd', zstdCompressSync],
];

/** Lines with their number, of some length. */
const linesOf = (count: number, length = 100) =>
  Array.from({ length: count }, (_, index) => `${index} ${'x'.repeat(length)}\n`).join('');

/** What the engine says of a piece of lines that it takes. */
function taking({ bytes }: Body, samples: number): Verdict {
  const items = Buffer.from(bytes)
    .toString()
    .split(/(?<=\n)/)
    .filter((line) => line !== '').length;
  const notes = { rowsRead: samples, rowsInvalid: 0, items, examples: [] };
  return { ok: true, counts: { ...noCounts, samples }, notes };
}

function start({ lineBytesMax = 2 * MIB, encoding = 'plain' as BodyEncoding, capacity = 1 } = {}) {
  const clock = new FakeClock();
  const body = new PassThrough();
  const intake = new FakeIntake();
  intake.judge = (piece) => taking(piece, 1);
  const admission = new Admission({ capacity, maxQueueMs: 10_000 }, { clock, meter: new RecordingMeter() });
  const watch = new BodyWatch(10_000, clock);
  const source = new BodySource(
    body as unknown as IncomingMessage,
    { watch, clock },
    { length: 0, isEnded: false },
  );
  const settings: StreamSettings = {
    pieces: linePieces('lineMax'),
    itemBytesMax: lineBytesMax,
    itemOption: 'lineMax',
    encoding,
    arrival: { parameters: { a: 'b' }, receivedMs: 5 },
    body: { protocol: 'vmimport', extraLabels: [], client: 'c' },
    keepsToken: false,
    maxQueueMs: 10_000,
  };
  const taken: number[] = [];
  const ports = {
    intake,
    admission,
    clock,
    pool: new BufferPool(),
    log: recordingLogger(),
    onTaken: ({ samples }: { samples: number }) => taken.push(samples),
  };
  const stream = new BodyStream(source, settings, ports);
  const pieces = () => intake.bodies.map(({ bytes }) => Buffer.from(bytes).toString());
  return { clock, body, intake, admission, source, stream, pieces, taken };
}

test('whatever the chunks and the encoding, the pieces are the body, cut at line ends, and know their lines', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...encoders),
      fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 3_000, max: 300_000 }),
      fc.boolean(),
      async ([encoding, encode], blocks, chunkBytes, hasEnd) => {
        const text = `${blocks.map((count, index) => linesOf(count, 10 ** (index % 4))).join('')}last${hasEnd ? '\n' : ''}`;
        const { body, intake, stream, pieces, admission } = start({ encoding });
        const wire = encode(Buffer.from(text));
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < wire.length; at += chunkBytes) chunks.push(wire.subarray(at, at + chunkBytes));
        Readable.from(chunks.slice(1)).pipe(body);
        assert.deepEqual(await stream.run(chunks[0]!), { kind: 'taken' });
        assert.ok(pieces().join('') === text);
        let line = 1;
        for (const [index, { bytes, arrival, encoding: sent }] of intake.bodies.entries()) {
          const piece = Buffer.from(bytes).toString();
          assert.deepEqual(arrival, { parameters: { a: 'b', firstItem: String(line) }, receivedMs: 5 });
          assert.equal(sent, 'plain');
          assert.ok(piece.endsWith('\n') || index === intake.bodies.length - 1);
          assert.ok(bytes.byteLength <= 512 * 1024);
          line += piece.split('\n').length - 1;
        }
        assert.equal(admission.current, 0);
      },
    ),
    { numRuns: 12 },
  );
});

test('a line may be longer than a piece, and one above the limit ends it', async () => {
  const long = `${'y'.repeat(1_900_000)}\n`;
  const good = start();
  good.body.end(`a\n${long}b\n`);
  assert.deepEqual(await good.stream.run(Buffer.from('z\n')), { kind: 'taken' });
  assert.ok(good.pieces().join('') === `z\na\n${long}b\n`);
  const bad = start({ lineBytesMax: MIB });
  bad.body.end(`${linesOf(20_000)}${long}b\n`);
  const end = await bad.stream.run(Buffer.from('first\n'));
  assert.ok(end.kind === 'refused');
  assert.deepEqual([end.status, end.reason], [400, 'malformed']);
  const lines = bad.pieces().join('').split('\n').length - 1;
  assert.match(
    end.text,
    new RegExp(
      `^the first ${lines} lines of the body, with \\d+ samples, were taken, what follows was not: cannot read line ${lines + 1}: it has more than 1048576 bytes; send shorter lines or raise -lineMax$`,
    ),
  );
  assert.equal(lines, 20_001);
  assert.equal(bad.admission.current, 0);
});

test('a piece that is refused ends it, and what came before is told', async () => {
  const { body, intake, stream, pieces, admission, taken } = start();
  intake.judge = (piece) => (intake.bodies.length === 2 ? MALFORMED : taking(piece, 7));
  body.end(linesOf(30_000));
  const end = await stream.run(Buffer.from('first\n'));
  assert.equal(pieces().length, 2);
  const lines = pieces()[0]!.split('\n').length - 1;
  assert.deepEqual(end, {
    kind: 'refused',
    status: 400,
    reason: 'malformed',
    retryAfterS: undefined,
    text: `the first ${lines} lines of the body, with 7 samples, were taken, what follows was not: bad piece`,
  });
  assert.deepEqual(taken, [7]);
  assert.equal(admission.current, 0);
});

test('an engine that is full is asked again, for a while', async () => {
  const { body, clock, intake, stream, pieces } = start();
  let refusals = 3;
  intake.judge = () => (refusals-- > 0 ? OVERLOADED : verdictOf({ samples: 1 }));
  body.end();
  const ended = stream.run(Buffer.from('a\n'));
  for (let asked = 1; asked <= 3; asked++) {
    await settled(() => clock.timers > 1);
    assert.equal(intake.bodies.length, asked);
    clock.advance(1_000);
  }
  assert.deepEqual(await ended, { kind: 'taken' });
  assert.deepEqual(pieces(), Array(4).fill('a\n'));

  const full = start();
  full.intake.judge = () => OVERLOADED;
  full.body.end();
  let end: unknown;
  void full.stream.run(Buffer.from('a\n')).then((value) => {
    end = value;
  });
  while (end === undefined) {
    await new Promise(setImmediate);
    full.clock.advance(500);
  }
  const refused = { kind: 'refused', status: 503, reason: 'overloaded', text: 'full', retryAfterS: 5 };
  assert.deepEqual(end, refused);
  assert.equal(full.admission.current, 0);
});

test('an engine that fails is no fault of the client', async () => {
  const { body, intake, stream, admission } = start();
  intake.judge = () => {
    throw new Error('boom');
  };
  body.end();
  const end = await stream.run(Buffer.from('a\n'));
  assert.ok(end.kind === 'refused');
  assert.deepEqual(
    [end.status, end.text],
    [503, 'cannot process the request: internal error; send it again'],
  );
  assert.equal(admission.current, 0);
});

test('no token within the time refuses it', async () => {
  const { clock, admission, stream, body } = start();
  admission.tryTake();
  body.end();
  const ended = stream.run(Buffer.from('a\n'));
  await settled(() => admission.waiting === 1);
  clock.advance(10_000);
  const end = await ended;
  assert.ok(end.kind === 'refused' && end.status === 503);
  assert.match(end.text, /within 10 s/);
});

test('bytes that are not in their encoding are told, with what was taken', async () => {
  for (const [encoding, encode] of encoders.slice(1)) {
    const { body, stream, admission } = start({ encoding });
    const wire = encode(Buffer.from(linesOf(30_000)));
    body.end(wire.subarray(10, -20));
    const end = await stream.run(wire.subarray(0, 10));
    assert.ok(end.kind === 'refused' && end.status === 400, encoding);
    assert.match(end.text, new RegExp(`^the first \\d+ lines .*: cannot decode ${encoding} body: .`));
    assert.equal(admission.current, 0);
    const nonsense = start({ encoding });
    nonsense.body.end();
    const bad = await nonsense.stream.run(Buffer.from('no such thing'));
    assert.ok(bad.kind === 'refused');
    assert.match(bad.text, new RegExp(`^cannot decode ${encoding} body: .`));
  }
});

test('a client that goes leaves what was taken', async () => {
  for (const [encoding, encode] of encoders) {
    const { body, stream, pieces, admission } = start({ encoding });
    const text = linesOf(30_000);
    const ended = stream.run(encode(Buffer.from(text)).subarray(0, -1));
    await settled(() => pieces().length > 0 && admission.current === 0);
    body.destroy();
    const end = await ended;
    assert.equal(end.kind, 'gone', encoding);
    assert.ok(text.startsWith(pieces().join('')));
    assert.equal(admission.current, 0);
  }
});

test('an import of many times the limit is taken over HTTP, in every encoding', async (t) => {
  const { url, intake, meter } = await startServer(t, { maxInsertRequestSize: MIB });
  intake.judge = (body) => verdictOf({ samples: Buffer.from(body.bytes).toString().split('\n').length - 1 });
  // Hard to compress, so that it is too large for a whole body in every encoding.
  const random = randomFrom(1);
  const numbers = Array.from({ length: 60_000 }, () => `${random()} ${random()} ${random()}\n`);
  const text = Buffer.from(numbers.join(''));
  for (const [index, [encoding, encode]] of encoders.entries()) {
    const headers: Record<string, string> = encoding === 'plain' ? {} : { 'Content-Encoding': encoding };
    const wire = encode(text);
    for (const body of [wire, new Blob([wire]).stream()]) {
      intake.bodies.length = 0;
      const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit;
      const answer = await fetchText(`${url}/api/v1/import?extra_label=a=b`, init);
      assert.deepEqual([answer.status, answer.body], [204, ''], encoding);
      const pieces = intake.bodies.filter((piece) => piece.encoding === 'plain');
      assert.ok(pieces.length >= 5, `${pieces.length}`);
      assert.ok(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(text), encoding);
      for (const { extraLabels } of pieces) assert.deepEqual(extraLabels, [{ name: 'a', value: 'b' }]);
    }
    assert.equal(meter.value('vmagent_rows_inserted_total', TYPE), 60_000 * 2 * (index + 1));
  }
  assert.equal(meter.value('vm_protoparser_read_calls_total', TYPE), 8);
  assert.equal(meter.value('vm_concurrent_insert_current'), 0);
});

test('a small body that is too large decompressed is taken in pieces after all', async (t) => {
  const { url, intake } = await startServer(t, { maxInsertRequestSize: MIB });
  intake.judge = ({ encoding }) =>
    encoding === 'gzip'
      ? { ok: false, status: 413, reason: 'too_large', error: 'decompressed it has more' }
      : verdictOf({ samples: 1 });
  const text = Buffer.from('a 1\n'.repeat(500_000));
  const body = new Uint8Array(gzipSync(text));
  assert.ok(body.byteLength < 16_384);
  const headers = { 'Content-Encoding': 'gzip' };
  const path = `${url}/api/v1/import/prometheus`;
  assert.equal((await fetchText(path, { method: 'POST', body, headers })).status, 204);
  assert.equal(intake.bodies[0]!.encoding, 'gzip');
  assert.ok(Buffer.concat(intake.bodies.slice(1).map(({ bytes }) => bytes)).equals(text));
});

test('clients that send slowly hold no token', async (t) => {
  const harness = await startServer(t, { maxConcurrentInserts: 1 });
  const slow = await open(t, harness.port);
  slow.write(request({ 'Transfer-Encoding': 'chunked' }, '/api/v1/import'));
  const text = linesOf(20_000);
  slow.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  const small = await open(t, harness.port);
  small.write(request({ 'Content-Length': 500_000 }, '/api/v1/import'));
  small.write('x'.repeat(100_000));
  const { intake, meter } = harness;
  await settled(() => intake.bodies.length > 2 && meter.value('vm_concurrent_insert_current') === 0);
  await assertServes(harness);
  const answer = readToEnd(slow);
  slow.write('0\r\n\r\n');
  slow.end();
  assert.match(await answer, /^HTTP\/1\.1 204 /);
});

test('a stop in the middle of an import is answered, with what was taken', async (t) => {
  const { port, server, intake } = await startServer(t);
  intake.judge = (piece) => taking(piece, 1);
  const socket = await open(t, port);
  socket.write(request({ 'Transfer-Encoding': 'chunked' }, '/api/v1/import'));
  const text = linesOf(20_000);
  socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  await settled(() => intake.bodies.length > 2);
  const answer = readToEnd(socket);
  const closed = server.close();
  assert.match(
    await answer,
    /^HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*the first \d+ lines of the body, .* were taken, .* the relay is shutting down/,
  );
  await closed;
});

test('blocks of the native format are cut between blocks, with the head before each piece', async (t) => {
  const { url, intake } = await startServer(t, { maxInsertRequestSize: MIB });
  const head = Buffer.alloc(16, 7);
  const item = (fill: number, length: number) => {
    const name = Buffer.alloc(4 + 100, fill);
    name.writeUInt32BE(100);
    const block = Buffer.alloc(4 + length, fill);
    block.writeUInt32BE(length);
    return Buffer.concat([name, block]);
  };
  const items = Array.from({ length: 300 }, (_, index) => item(index % 251, 1_000 * (index % 40)));
  const body = new Uint8Array(Buffer.concat([head, ...items]));
  const answer = await fetchText(`${url}/api/v1/import/native`, { method: 'POST', body });
  assert.equal(answer.status, 204);
  assert.ok(intake.bodies.length > 5);
  const rests = intake.bodies.map(({ bytes, arrival }) => {
    assert.deepEqual(Buffer.from(bytes.subarray(0, 16)), head);
    assert.ok(arrival!.parameters.firstItem !== undefined);
    return bytes.subarray(16);
  });
  assert.ok(Buffer.concat(rests).equals(Buffer.concat(items)));
});
