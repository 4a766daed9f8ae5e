/** The scanners of text protocols: numbers against JavaScript's own, and what is taken and left of a body. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageRoom } from '../../src/engine/message-room.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { type TakeLines, TextScanner } from '../../src/kernel/text-scanner.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';

const scanner = new TextScanner(new Kernel(compileKernel()));
const NOW_MS = 1_790_000_000_123;

const plainInflux = {
  nowMs: NOW_MS,
  trimMs: 1,
  unit: undefined,
  skipMeasurement: false,
  skipSingleField: false,
  lineBytesMax: Number.POSITIVE_INFINITY,
  separator: Buffer.from('_'),
  dbKey: Buffer.from('db'),
  db: new Uint8Array(),
};

class Target {
  readonly parts: Buffer[] = [];
  series = 0;
  samples = 0;

  /** Gives no place, so that everything is appended. */
  place(): undefined {
    return undefined;
  }

  appendPlaced(): never {
    assert.fail('there was no place');
  }

  append(bytes: Uint8Array, series: number, samples: number): void {
    this.parts.push(Buffer.from(bytes));
    this.series += series;
    this.samples += samples;
  }

  get timeseries() {
    const type = remoteWriteType('WriteRequest');
    const message = type.decode(Buffer.concat(this.parts));
    return type.toObject(message, { longs: Number, defaults: true, arrays: true }).timeseries;
  }
}

const scans = {
  influx: (bytes: Uint8Array, target: Target) => scanner.influx(bytes, target, plainInflux),
  jsonLines: (bytes: Uint8Array, target: Target) => scanner.jsonLines(bytes, target, 10 * 1024 * 1024),
  prometheusText: (bytes: Uint8Array, target: Target) => scanner.prometheusText(bytes, target, NOW_MS),
} satisfies Record<string, (bytes: Uint8Array, target: Target) => TakeLines>;

type Scan = (typeof scans)['influx'];

function take(scan: Scan, text: string) {
  const bytes = Buffer.from(text);
  const target = new Target();
  return { target, bytes, ...scan(bytes, target)(0) };
}

/** Decimals of all lengths, near and far from what a double holds, and exactly between two doubles. */
const decimals = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => String(value)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential()),
  fc.double({ min: -1e9, max: 1e9, noNaN: true }).map((value) => value.toFixed(6)),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 22n }), fc.integer({ min: -90, max: 90 }))
    .map(([digits, exponent]) => `${digits}e${exponent}`),
  fc.tuple(fc.nat(), fc.stringMatching(/^\d{0,22}$/)).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc
    .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 0, max: 10 }))
    .map(([mantissa, shift]) => String((2n * mantissa + 1n) << BigInt(shift))),
  fc
    .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 1, max: 4 }))
    .map(([mantissa, shift]) => {
      const digits = ((2n * mantissa + 1n) * 5n ** BigInt(shift)).toString();
      return `${digits}e-${shift}`;
    }),
);

test('numbers are the doubles that JavaScript makes of them', () => {
  let taken = 0;
  let all = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), decimals), { minLength: 1, maxLength: 50 }), (given) => {
      const texts = given.map(([isNegative, text]) => (isNegative && text[0] !== '-' ? `-${text}` : text));
      for (const text of texts) {
        const { target, lines } = take(scans.prometheusText, `a ${text}\n`);
        all++;
        if (lines === 0) continue;
        taken++;
        const expected = Buffer.alloc(8);
        expected.writeDoubleLE(Number(text));
        const message = Buffer.concat(target.parts);
        assert.equal(message.indexOf(expected), message.indexOf(Buffer.of(0x12, 0x10, 0x09)) + 3, text);
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(taken > all / 4, `${taken} of ${all} were taken`);
});

test('what senders write is taken whole', () => {
  const bodies: [Scan, string][] = [
    [
      scans.influx,
      'cpu,host=a,region=eu user=1.5,system=2i,idle=97u 1700000000000000000\n\ncpu,host=b user=-1\r\n',
    ],
    [scans.influx, 'cpu user=1'],
    [
      scans.jsonLines,
      '{"metric":{"__name__":"up","job":""},"values":[1,null,-2.5e3],"timestamps":[1,2,3]}\n',
    ],
    [
      scans.prometheusText,
      'up 1\nup{} 2 1700000000\r\nup{a="b",c="",} -Inf 1700000000123\n  \nup{a="b"}\t+Inf 5  ',
    ],
  ];
  const expected = [
    [
      'cpu_user{host=a,region=eu} 1.5@1700000000000',
      'cpu_system{host=a,region=eu} 2@1700000000000',
      'cpu_idle{host=a,region=eu} 97@1700000000000',
      `cpu_user{host=b} -1@${NOW_MS}`,
    ],
    [`cpu_user{} 1@${NOW_MS}`],
    ['up{job=} 1@1 NaN@2 -2500@3'],
    [`up{} 1@${NOW_MS}`, 'up{} 2@1700000000000', 'up{a=b,c=} -Infinity@1700000000123'],
  ];
  for (const [index, [scan, text]] of bodies.entries()) {
    const { target, next, bytes } = take(scan, text);
    const shown = target.timeseries.map(
      ({ labels, samples }: { labels: { name: string; value: string }[]; samples: never[] }) => {
        const [name, ...others] = labels;
        const points = samples.map(({ value, timestamp }) => `${value}@${timestamp}`);
        return `${name!.value}{${others.map((label) => `${label.name}=${label.value}`).join(',')}} ${points.join(' ')}`;
      },
    );
    assert.deepEqual(shown, expected[index]);
    // A line of blanks is the parser's.
    assert.equal(next, index === 3 ? text.indexOf('  \n') : bytes.length);
  }
});

test('a line that is not so simple ends the scan, which goes on behind it', () => {
  const odd: [Scan, string, readonly string[]][] = [
    [
      scans.influx,
      'm f=1 1',
      [
        '# c',
        'a\\ b f=1',
        'm f="x"',
        'm f=t',
        'm f=nan',
        'm',
        'm f=1 -5',
        'm,t f=1',
        'm f=1x',
        'm f=1 1 ',
        'm f=2i0',
        'm f=1 1 1',
      ],
    ],
    [
      scans.jsonLines,
      '{"metric":{"a":"b"},"values":[1],"timestamps":[1]}',
      [
        '{"metric":{"a":"\\n"},"values":[1],"timestamps":[1]}',
        '{"metric":{},"values":[1],"timestamps":[1]}',
        '{"metric":{"":"b"},"values":[1],"timestamps":[1]}',
        '{"metric":{"a":1},"values":[1],"timestamps":[1]}',
        '{"metric":{"a":"b"},"values":["Inf"],"timestamps":[1]}',
        '{"metric":{"a":"b"},"values":[1,2],"timestamps":[1]}',
        '{"metric":{"a":"b"},"values":[1],"timestamps":[1,2]}',
        '{"metric":{"a":"b"},"values":[1],"timestamps":[-1]}',
        '{"metric":{"a":"b"},"values":[1],"timestamps":[9007199254740993]}',
        '{"metric": {"a":"b"},"values":[1],"timestamps":[1]}',
        '{"metric":{"a":"b"},"values":[1],"timestamps":[1]}x',
        '{"values":[1],"timestamps":[1],"metric":{"a":"b"}}',
      ],
    ],
    [
      scans.prometheusText,
      'a 1',
      [
        '# HELP a b',
        ' a 1',
        'a{b="\\n"} 1',
        '{"a"} 1',
        'a {b="c"} 1',
        'a{b = "c"} 1',
        'a 1 # {}',
        'a 1 x',
        'a',
      ],
    ],
  ];
  for (const [scan, plain, lines] of odd) {
    for (const line of lines) {
      const text = `${plain}\n${line}\n${plain}\n`;
      const bytes = Buffer.from(text);
      const target = new Target();
      const go = scan(bytes, target);
      const first = { next: plain.length + 1, lines: 1, rows: 1 };
      assert.deepEqual(go(0), first, line);
      assert.deepEqual(go(first.next), { next: first.next, lines: 0, rows: 0 }, line);
      assert.deepEqual(go(first.next + line.length + 1), { next: bytes.length, lines: 1, rows: 1 }, line);
      assert.equal(target.series, 2);
    }
  }
});

test('bodies of many pieces, lines longer than a piece, and series that grow', () => {
  const long = 'x'.repeat(200_000);
  const fields = Array.from({ length: 400 }, (_, index) => `f${index}=${index}`).join(',');
  const lines = Array.from({ length: 5_000 }, (_, index) => {
    if (index === 100) return `m,host=${long.slice(0, 8_000)} ${fields} 5`; // 400 × 8 kB
    return index === 2_000 ? `${long} f=1 5` : `m,host=h${index} f=${index} 5`;
  });
  const { target, next, lines: taken, bytes } = take(scans.influx, lines.join('\n'));
  assert.equal(next, bytes.length);
  assert.equal(taken, 5_000);
  assert.equal(target.series, 5_399);
  const { timeseries } = target;
  assert.equal(timeseries.length, 5_399);
  assert.equal(timeseries[100].labels[1].value.length, 8_000);
  assert.equal(timeseries[499].samples[0].value, 399);
  assert.equal(timeseries[2_399].labels[0].value, `${long}_f`);
  assert.equal(timeseries.at(-1).samples[0].value, 4_999);
});

test('what is too long is left to the parser', () => {
  const text = `m f=1 5\n${'x'.repeat(5_000_000)} f=1 5\nm f=1 5\n`;
  const bytes = Buffer.from(text);
  const target = new Target();
  const go = scans.influx(bytes, target);
  assert.deepEqual(go(0), { next: 8, lines: 1, rows: 1 });
  assert.deepEqual(go(8), { next: 8, lines: 0, rows: 0 });
  assert.deepEqual(go(bytes.length - 8), { next: bytes.length, lines: 1, rows: 1 });
  const strict = scanner.influx(Buffer.from('m f=12 5\n'), target, { ...plainInflux, lineBytesMax: 7 });
  assert.deepEqual(strict(0), { next: 0, lines: 0, rows: 0 });
});

test('a message that needs more memory for what was scanned gets it', () => {
  const kernel = new Kernel(compileKernel());
  // Never what is there already, so every view of the memory is taken away.
  const room = new MessageRoom(kernel, (byteLength) =>
    kernel.memory.alloc(Math.max(byteLength, kernel.memory.bytes().byteLength)),
  );
  // Less than a scan may write, so nothing is written in its place.
  const bytesMax = 100_000;
  const sink = new SeriesSink(bytesMax, room);
  sink.reset(bytesMax);
  const lines = Array.from({ length: 1_500 }, (_, index) => `m,host=h${index} f=${index} 5\n`);
  const { next } = new TextScanner(kernel).influx(Buffer.from(lines.join('')), sink, plainInflux)(0);
  assert.equal(next, lines.join('').length);
  const { timeseries } = remoteWriteType('WriteRequest').decode(Buffer.from(sink.bytes)).toJSON();
  assert.equal(timeseries.length, 1_500);
  assert.equal(timeseries.at(-1).samples[0].value, 1_499);
});
