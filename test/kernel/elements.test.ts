/** The snappy elements that scanners make: they decode to the message, whatever was scanned before, and are as few as others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { bodyFormats } from '../../bench/load/formats.ts';
import { MessageRoom } from '../../src/engine/message-room.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Region } from '../../src/kernel/memory.ts';
import { TextScanner } from '../../src/kernel/text-scanner.ts';
import { influx } from '../../src/protocol/influx.ts';
import { jsonLines } from '../../src/protocol/json-lines.ts';
import { prometheusText } from '../../src/protocol/prometheus-text.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { encodeVarint } from '../../src/util/varint.ts';
import { allDefaults } from '../protocol/support.ts';

const BYTES_MAX = 256 * 1024 * 1024;
const module = compileKernel();

function setUp() {
  const kernel = new Kernel(module);
  const region = new Region(kernel.memory);
  const room = new MessageRoom(kernel, (byteLength) => region.reserve(byteLength));
  const scanner = new TextScanner(kernel);
  const options = allDefaults();
  /** A body, and its elements from cut to cut. */
  const read = (protocol: Protocol, text: string | Uint8Array, label = 'a', isScanned = true) => {
    const sink = new SeriesSink(BYTES_MAX, room);
    sink.reset(BYTES_MAX);
    scanner.elements.begin(isScanned);
    const parameters = { mode: 'stream', db: label };
    const request = {
      parameters,
      receivedMs: 1_790_000_000_000,
      options,
      scanner: isScanned ? scanner : undefined,
    };
    assert.equal(protocol.parse!(Buffer.from(text), request, sink), undefined);
    const elements = scanner.elements.finish(room.ptr, sink.bytes.byteLength);
    elements?.write();
    const message = Buffer.from(sink.bytes);
    const bytes = kernel.memory.bytes();
    const stream = elements && Buffer.from(bytes.subarray(elements.ptr, elements.ptr + elements.length));
    return { message, stream, cuts: sink.cuts, found: sink.found };
  };
  /** How long the elements of the message are when it is searched for what it has in common with itself. */
  const searchedLength = (message: Uint8Array) => {
    const src = kernel.memory.alloc(message.byteLength);
    const dst = kernel.memory.alloc(kernel.snappyMaxLength(message.byteLength));
    kernel.memory.bytes().set(message, src);
    return kernel.snappyEncode(src, message.byteLength, dst);
  };
  return { read, searchedLength };
}

function decode(stream: Uint8Array, byteLength: number): Buffer {
  return Buffer.from(uncompress(Buffer.concat([encodeVarint(byteLength), stream])));
}

function check({ message, stream, cuts, found }: ReturnType<ReturnType<typeof setUp>['read']>): void {
  assert.ok(stream !== undefined);
  assert.ok(decode(stream, message.byteLength).equals(message));
  const end = { bytes: message.byteLength, elements: stream.byteLength, ...found };
  let from = { bytes: 0, elements: 0, labels: 0, counts: { ...found.counts, series: 0, samples: 0 } };
  for (const to of [...cuts, end]) {
    const part = message.subarray(from.bytes, to.bytes);
    assert.ok(decode(stream.subarray(from.elements, to.elements), part.byteLength).equals(part));
    assert.ok(to.counts.samples >= from.counts.samples && to.labels >= from.labels);
    from = to;
  }
}

/** Lines as senders write them, of the same few names and values, and some that only the parsers read. */
const word = fc.constantFrom(
  'a',
  'b',
  'le',
  'host',
  'namespace',
  'x'.repeat(70),
  'eu-west-1',
  'pod-7d9f8c6b5',
);
const value = fc.oneof(
  fc.constantFrom('0', '1', '1.5', '12', '1e3', '-7', '1790000000.123'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);
const timestamp = fc.constantFrom('', ' 1790000000000', ' 1790000000001', ' 17', ' 1790000000');
const labels = fc.array(fc.tuple(word, word), { maxLength: 6 });
const prometheusLine = fc
  .tuple(word, labels, value, timestamp, fc.constantFrom('', '', '', '', ',', ' '))
  .map(([name, pairs, number, time, odd]) => {
    const inner = pairs.map(([label, text]) => `${label}="${text}"`).join(',');
    return `${name}{${inner}${inner === '' ? '' : odd}} ${number}${time}\n`;
  });
const influxLine = fc
  .tuple(word, labels, fc.array(fc.tuple(word, value), { minLength: 1, maxLength: 5 }), timestamp)
  .map(([name, tags, fields, time]) => {
    const key = [name, ...tags.map(([label, text]) => `${label}=${text}`)].join(',');
    return `${key} ${fields.map((field) => field.join('=')).join(',')}${time}\n`;
  });
const firstTime = fc.constantFrom(7, 1_790_000_000_000, 1_790_000_000_001);
const jsonLine = fc
  .tuple(labels, fc.array(value, { minLength: 1, maxLength: 5 }), firstTime)
  .map(([pairs, values, firstMs]) => {
    const metric = pairs.map(([label, text]) => `"${label}":"${text}"`).join(',');
    return `{"metric":{${metric}},"values":[${values}],"timestamps":[${values.map((_, at) => firstMs + at)}]}\n`;
  });
const ODD: Record<string, readonly string[]> = {
  prometheus: ['# TYPE a counter\n', 'a{b="\\n"} 1\n', '{"a"} 1\n', 'bad\n', '\n', '\r\n'],
  influx: ['a\\ b f=1\n', 'm f="x"\n', '# c\n', 'bad\n', '\n', 'm f=1\r\n'],
  vmimport: ['{"metric":{"a":"\\n"},"values":[1],"timestamps":[2]}\n', '\n', 'bad\n'],
};

/** Runs of lines that are repeated with other ends, as scrapes are, so that bodies are long and mostly alike. */
function bodyOf(protocol: Protocol, line: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.array(fc.oneof({ weight: 12, arbitrary: line }, fc.constantFrom(...ODD[protocol.name]!)), {
        minLength: 1,
        maxLength: 30,
      }),
      fc.constantFrom(1, 2, 100),
    )
    .map(([lines, times]) => lines.join('').repeat(times));
}

const protocols: [Protocol, fc.Arbitrary<string>][] = [
  [prometheusText, prometheusLine],
  [influx, influxLine],
  [jsonLines, jsonLine],
];

for (const [protocol, line] of protocols) {
  test(`${protocol.name}: elements are the message, and what was scanned before makes no difference`, () => {
    const used = setUp();
    let withElements = 0;
    fc.assert(
      fc.property(bodyOf(protocol, line), word, (text, label) => {
        const given = used.read(protocol, text, label);
        const plain = used.read(protocol, text, label, false);
        assert.ok(given.message.equals(plain.message), text);
        assert.deepEqual(given.found, plain.found);
        if (given.stream === undefined) return;
        withElements++;
        check(given);
      }),
      { numRuns: 60, endOnFailure: true },
    );
    assert.ok(withElements > 20, `${withElements} bodies had elements`);
  });
}

test('long bodies can be cut, and are not longer than others', () => {
  const { read, searchedLength } = setUp();
  const spec = { series: 4_000, seriesPerRequest: 4_000, scrapes: 1 };
  for (const [format, protocol] of [
    ['prometheus-text', prometheusText],
    ['influx', influx],
  ] as const) {
    const [sent] = bodyFormats[format].make(spec);
    const given = read(protocol, sent!.body, '');
    check(given);
    assert.ok(given.message.equals(sent!.message));
    assert.ok(given.cuts.length >= 3, `${given.cuts.length} cuts`);
    const [own, searched] = [given.stream!.byteLength, searchedLength(given.message)];
    assert.ok(own < 1.1 * searched, `${own} bytes for ${format}, searched ${searched}`);
  }
});

test('there are none of a series with too much in common with itself, nor where parsers wrote too much', () => {
  const { read } = setUp();
  let seed = 1;
  const names = Array.from({ length: 30_000 }, () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return `${'abc'[(seed >>> 16) % 3]}="value"`;
  });
  const long = `m{${names}} 1\n`;
  assert.ok(read(prometheusText, long + long).stream === undefined);
  const escaped = Array.from({ length: 2_000 }, (_, index) => `m{a="\\\\${index}"} 1\nn{a="b"} 1\n`).join('');
  assert.ok(read(prometheusText, escaped).stream === undefined);
  check(read(prometheusText, 'm{a="\\\\"} 1\nn{a="b"} 1\n'));
});
