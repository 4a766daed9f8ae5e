/**
 * Lines that came before are recalled, and the message is written only when somebody wants it: whatever changes from body to
 * body, it is what the parsers write, and its elements are it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { bodyFormats } from '../../bench/load/formats.ts';
import { MessageRoom } from '../../src/engine/message-room.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Region } from '../../src/kernel/memory.ts';
import { TextScanner } from '../../src/kernel/text-scanner.ts';
import type { Cut } from '../../src/model/body.ts';
import { influx } from '../../src/protocol/influx.ts';
import { prometheusText } from '../../src/protocol/prometheus-text.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { encodeVarint } from '../../src/util/varint.ts';
import { allDefaults } from '../protocol/support.ts';

const BYTES_MAX = 64 * 1024 * 1024;
const module = compileKernel();
const options = allDefaults();

type Query = Readonly<Record<string, string>>;

function decode(stream: Uint8Array, byteLength: number): Buffer {
  return Buffer.from(uncompress(Buffer.concat([encodeVarint(byteLength), stream])));
}

/** What is between the cuts can be decoded without the rest. */
function checkSlices(message: Buffer, stream: Buffer, cuts: readonly Cut[]): void {
  let from = { bytes: 0, elements: 0 };
  for (const to of [...cuts, { bytes: message.byteLength, elements: stream.byteLength }]) {
    const part = message.subarray(from.bytes, to.bytes);
    assert.ok(decode(stream.subarray(from.elements, to.elements), part.byteLength).equals(part));
    from = to;
  }
}

/** Reads bodies one after another, each as the parsers and as the scanners do. */
class Reader {
  /** Series of all bodies, and those that were recalled. */
  series = 0;
  recalled = 0;
  /** Of the last one: bytes of the message, and of its elements. */
  messageBytes = 0;
  streamBytes = 0;
  readonly #kernel = new Kernel(module);
  readonly #region = new Region(this.#kernel.memory);
  readonly #room = new MessageRoom(this.#kernel, (byteLength) => this.#region.reserve(byteLength));
  readonly #scanner: TextScanner;
  readonly #protocol: Protocol;

  constructor(protocol: Protocol, arenaBytes?: number) {
    this.#protocol = protocol;
    this.#scanner = new TextScanner(this.#kernel, arenaBytes);
  }

  /** @returns whether there are elements of it. */
  read(text: Uint8Array, query: Query = {}, bytesMax = BYTES_MAX): boolean {
    const plain = new SeriesSink(BYTES_MAX);
    const request = { parameters: { mode: 'stream', ...query }, receivedMs: 1_790_000_000_000, options };
    const failure = this.#protocol.parse!(text, { ...request, scanner: undefined }, plain);
    const { elements } = this.#scanner;
    const sink = new SeriesSink(bytesMax, this.#room);
    sink.reset(bytesMax);
    // Nothing of an earlier message may be taken for one of this.
    this.#kernel.memory.bytes().fill(0xee, this.#region.ptr, this.#region.ptr + this.#region.byteLength);
    elements.begin(true);
    assert.equal(this.#protocol.parse!(text, { ...request, scanner: this.#scanner }, sink), failure);
    const found = elements.finish(this.#room.ptr, sink.bytes.byteLength);
    const stream =
      found && Buffer.from(this.#kernel.memory.bytes().subarray(found.ptr, found.ptr + found.length));
    const expected = Buffer.from(plain.bytes);
    this.series += sink.series;
    this.recalled += elements.recalled;
    found?.write();
    assert.ok(expected.equals(sink.bytes), 'the message is what the parsers write');
    assert.deepEqual(sink.found, plain.found);
    assert.deepEqual(sink.examples, plain.examples);
    if (stream !== undefined) checkSlices(expected, stream, sink.cuts);
    this.streamBytes = stream?.byteLength ?? 0;
    this.messageBytes = expected.byteLength;
    return stream !== undefined;
  }
}

/** Bytes of samples as they are encoded, in names and values: what looks like one must not be taken for it. */
const LIKE_SAMPLE = `\x12\x12\t${'\0'.repeat(6)}\xf0?\x10`;
const name = fc.constantFrom('a', 'le', 'host', 'instance', 'pod', 'http_requests_total', 'x'.repeat(70));
const word = fc.constantFrom(
  ...['a', 'host', 'eu-west-1', 'pod-7d9f8c6b5', 'pod-7d9f8c6b6', 'x'.repeat(70)],
  ...['0.5', '10.0', 'y'.repeat(300), LIKE_SAMPLE, `0.5${LIKE_SAMPLE}`, 'é'],
);
const value = fc.constantFrom(
  ...['0', '1', '1.5', '12', '1e3', '-7', '1790000000.123', '2', '3', '65535', '0.1'],
);
const timestamp = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('1790000000000', '1790000000001', '1790000015000') },
  fc.constantFrom('', '17', '1'),
);

/** A line: what stands before its values, the names of them, and how it goes on when they are there. */
interface Line {
  readonly key: string;
  readonly fields: readonly string[];
}

interface Format {
  readonly protocol: Protocol;
  readonly line: fc.Arbitrary<Line>;
  readonly odd: readonly string[];
  readonly queries: readonly Query[];
  textOf(line: Line, nextValue: () => string, time: string): string;
}

const labels = fc.array(fc.tuple(name, word), { maxLength: 5 });
const formats: readonly Format[] = [
  {
    protocol: prometheusText,
    line: fc
      .tuple(name, labels, fc.constantFrom(...Array<string>(30).fill(''), ',', ' '))
      .map(([metric, pairs, odd]) => ({
        key:
          pairs.length === 0 ? metric : `${metric}{${pairs.map(([key, text]) => `${key}="${text}"`)}${odd}}`,
        fields: [],
      })),
    odd: ['# TYPE a counter\n', 'a{b="\\n"} 1\n', '{"a"} 1\n', 'a 1 # {t="x"} 2\n', 'bad\n', '\n', '\r\n'],
    queries: [{}, { timestamp: '1790000000007' }],
    textOf: ({ key }, nextValue, time) => `${key} ${nextValue()}${time === '' ? '' : ` ${time}`}\n`,
  },
  {
    protocol: influx,
    line: fc
      .tuple(name, labels, fc.array(name, { minLength: 1, maxLength: 4 }))
      .map(([measurement, tags, fields]) => ({
        key: [measurement, ...tags.map(([key, text]) => `${key}=${text}`)].join(','),
        fields,
      })),
    odd: ['a\\ b f=1\n', 'm f="x"\n', '# c\n', 'bad\n', '\n', 'm f=1\r\n', 'm f=1i,g=2i\n'],
    queries: [{}, { db: 'one' }, { db: 'two' }, { precision: 'ms' }],
    textOf: ({ key, fields }, nextValue, time) =>
      `${key} ${fields.map((field) => `${field}=${nextValue()}`)}${time === '' ? '' : ` ${time}`}\n`,
  },
];

/** What becomes of a page from one time to the next. */
type Edit = (lines: string[], at: number) => string[];
const edits = (odd: readonly string[]): Edit[] => [
  (lines) => lines,
  (lines) => lines,
  (lines) => lines,
  (lines, at) => lines.toSpliced(at, 1),
  (lines, at) => lines.toSpliced(at, 10),
  (lines, at) => [...lines.slice(at), ...lines.slice(0, at)],
  (lines, at) => lines.toSpliced(at, 0, lines.at(-1) ?? ''),
  (lines, at) => lines.toSpliced(at, 0, odd[at % odd.length]!),
  (lines, at) => lines.toSpliced(at, 2, lines[at + 1] ?? '', lines[at] ?? ''),
  // A byte that is another one: in a name, a value, a blank or a number.
  (lines, at) => lines.with(at, flip(lines[at]!, at)),
  (lines, at) => lines.with(at, flip(lines[at]!, lines[at]!.length - 3 - (at % 5))),
  (lines) => lines.with(-1, lines.at(-1)!.trimEnd()),
];

function flip(line: string, at: number): string {
  const place = at % line.length;
  return line.slice(0, place) + 'q"=,} 0{'[at % 8] + line.slice(place + 1);
}

for (const { protocol, line, odd, queries, textOf } of formats) {
  const kinds = edits(odd);
  const turn = fc.record({
    kind: fc.nat(kinds.length - 1),
    at: fc.nat(),
    isKept: fc.boolean(),
    first: value,
    time: timestamp,
    otherTimes: fc.constantFrom(0, 0, 0, 3, 1),
    query: fc.oneof({ weight: 9, arbitrary: fc.constant(queries[0]!) }, fc.constantFrom(...queries)),
  });

  test(`${protocol.name}: whatever changes from body to body, the message is what the parsers write`, () => {
    let series = 0;
    let recalled = 0;
    const property = fc.property(
      fc.array(line, { minLength: 8, maxLength: 60 }),
      // Now and then, longer than a piece, and than what goes between two cuts.
      fc.constantFrom(...Array<number>(9).fill(1), 20),
      fc.array(turn, { minLength: 8, maxLength: 25 }),
      fc.constantFrom(undefined, undefined, undefined, 140_000, 150_000),
      (page, copies, turns, arenaBytes) => {
        const reader = new Reader(protocol, arenaBytes);
        let lines = Array.from({ length: copies }, (_, copy) =>
          page.map(({ key, fields }) => ({
            key: copy === 0 ? key : key.replace(/^a|^h/, `m${copy}`),
            fields,
          })),
        ).flat();
        for (const { kind, at, isKept, first, time, otherTimes, query } of turns) {
          let nth = 0;
          // The last ones have some bytes in common.
          const values = [first, '1', first, '3.25', '1', '1000001', '1000002'];
          const texts = lines.map((one, index) => {
            const other = otherTimes > 0 && index % otherTimes === 0;
            return textOf(one, () => values[nth++ % values.length]!, other ? '1790000700000' : time);
          });
          const body = kinds[kind]!(texts, at % texts.length).join('');
          reader.read(Buffer.from(body, 'latin1'), query);
          if (isKept && kind === 3 && lines.length > 1) lines = lines.toSpliced(at % lines.length, 1);
        }
        series += reader.series;
        recalled += reader.recalled;
      },
    );
    fc.assert(property, { numRuns: Number(process.env.FUZZ_RUNS ?? 60), endOnFailure: true });
    assert.ok(recalled > series / 20, `of ${series} series, ${recalled} were recalled`);
  });

  test(`${protocol.name}: pages of many pieces, which are searched no worse than they were`, () => {
    const reader = new Reader(protocol);
    const spec = { series: 6_000, seriesPerRequest: 3_000, scrapes: 4 };
    const format = protocol === influx ? 'influx' : 'prometheus-text';
    const bodies = bodyFormats[format].make(spec).map(({ body }) => Buffer.from(body));
    let searched = 0;
    for (const [nth, body] of bodies.entries()) {
      reader.read(body);
      if (nth < 2) searched += reader.streamBytes;
      if (nth >= 6) assert.ok(reader.streamBytes < (1.03 * searched) / 2);
    }
    // One line comes, one goes, two pages come together, in pieces, and the wrong way round.
    const [first, second] = bodies as [Buffer, Buffer];
    const lineEnd = first.indexOf('\n', first.byteLength / 3) + 1;
    const next = first.indexOf('\n', lineEnd) + 1;
    const line = second.subarray(0, second.indexOf('\n') + 1);
    const pages: readonly Buffer[][] = [
      [first],
      [first.subarray(0, lineEnd), line, first.subarray(lineEnd)],
      [first.subarray(0, lineEnd), first.subarray(next)],
      [second, first],
      [first.subarray(lineEnd)],
      [first.subarray(next), first.subarray(0, next)],
    ];
    for (const [nth, parts] of pages.entries()) {
      const page = Buffer.concat(parts);
      for (let times = 0; times < 6; times++) reader.read(page);
      const { series, recalled } = reader;
      reader.read(page);
      const part = (reader.recalled - recalled) / (reader.series - series);
      assert.ok(part > 0.95, `${part} of page ${nth} were recalled`);
    }
  });
}

const TIME = 1_790_000_000_000;
/** The bytes of a double and of a varint, as text. */
const doubleText = (number: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(number);
  return bytes.toString('latin1');
};
const timeText = Buffer.from(encodeVarint(TIME)).toString('latin1');

/** Reads a body a few times, so that its lines are recalled, then another one. */
function readTwo(protocol: Protocol, learned: readonly string[], then: string): void {
  const reader = new Reader(protocol);
  for (let times = 0; times < 5; times++)
    for (const body of learned) reader.read(Buffer.from(body, 'latin1'));
  assert.ok(reader.recalled > 0);
  reader.read(Buffer.from(then, 'latin1'));
}

test('what a label has in common with the sample behind an earlier one does not last', () => {
  const like = `\t${doubleText(1)}\x10${timeText}`;
  const page = (first: number) =>
    `z{b="c"} 1 ${TIME}\nm{a=""} ${first} ${TIME}\nm{a="${like}"} 1 ${TIME}\nm{a="${like}"} 1 ${TIME}\n`;
  readTwo(prometheusText, [page(1)], page(2));
});

test('a label of an earlier message is not where its place is now a sample', () => {
  // The label a="@" as the bytes of a double.
  const number = Buffer.from([0x0a, 0x06, 0x0a, 0x01, 0x61, 0x12, 0x01, 0x40]).readDoubleLE();
  const pad = 'x'.repeat(110);
  const earlier = `mm{pad="${pad}",a="@"} 1 ${TIME}\n`;
  const page = (first: number) =>
    `mm{pad="${pad.slice(3)}"} ${first} ${TIME}\nnn{pad="${pad}",a="@"} 1 ${TIME}\n`;
  readTwo(prometheusText, [earlier, page(number)], page(3));
});

test('a label that the parser wrote, of a line that was given up, may be another one next time', () => {
  const page = (pod: string) =>
    `a{x="y"} 1 ${TIME}\nm{pod="${pod}",x="\\\\"} 1 ${TIME}\nm{y="z",pod="pod-7d9f8c6b5"} 1 ${TIME}\n`;
  readTwo(prometheusText, [page('pod-7d9f8c6b5')], page('pod-7d9f8c6b6'));
});

test('fields are known behind those of their own line only', () => {
  const time = `${TIME}000000\n`;
  const last = `m,host=b g=1 ${time}`;
  readTwo(
    influx,
    [`m,host=a f=1,g=2,h=3 ${time}${last}`],
    `m,host=a f=1,zz=2 ${time}n,host=c f=1,g=2,h=3 ${time}${last}`,
  );
});

test('elements refer to nothing before the row that was looked up', () => {
  const lines = Array.from(
    { length: 64 },
    (_, at) => `m${at}{instance="10.0.0.${at % 7}",le="${at}.5"} 1 ${TIME}\n`,
  );
  const shared = '{handler="/api/v1/orders",other="10.0.0.8:9100"} 1';
  // Some of these lines are anchors.
  for (const at of lines.keys()) {
    const known = lines.slice(0, at + 1).join('');
    const reader = new Reader(prometheusText);
    const readOften = (body: string) => {
      for (let times = 0; times < 4; times++) reader.read(Buffer.from(body));
    };
    readOften(known);
    readOften(`first${shared} ${TIME}\n${lines[at]}second${shared} ${TIME}\n`);
    reader.read(Buffer.from(`${known}second${shared} ${TIME}\n`));
  }
});

test('a message that has to do without elements in the end is written', () => {
  const reader = new Reader(prometheusText);
  const spec = { series: 1_500, seriesPerRequest: 1_500, scrapes: 1 };
  const page = bodyFormats['prometheus-text'].make(spec)[0]!.body;
  for (let times = 0; times < 3; times++) assert.ok(reader.read(page));
  const before = reader.recalled;
  // So much is better compressed with what is around it.
  const escaped = Array.from({ length: 3_000 }, (_, at) => `m{a="\\\\${at}",b="${'x'.repeat(50)}"} 1\n`);
  assert.ok(!reader.read(Buffer.concat([page, Buffer.from(escaped.join('')), page])));
  assert.ok(reader.recalled - before > 1_000, `${reader.recalled - before} were recalled`);
  // The last piece does not fit where the message is.
  assert.ok(reader.read(page));
  assert.ok(!reader.read(page, {}, reader.messageBytes));
});

test('without memory for them, lines are not recalled', () => {
  const reader = new Reader(prometheusText, 2 ** 32);
  for (let times = 0; times < 4; times++) assert.ok(reader.read(Buffer.from('a 1\nb 1\n')));
  assert.equal(reader.recalled, 0);
});

test('samples that have the first bytes of their values in common have their own times', () => {
  const page = (first: number) =>
    Array.from({ length: 9 }, (_, at) => `m${at} ${first + at} ${TIME + at * 20_000}\n`).join('');
  readTwo(prometheusText, [page(1_000_001)], page(1_000_017));
});
