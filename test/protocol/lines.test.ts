import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eachLine, linePieces } from '../../src/protocol/lines.ts';

function linesOf(text: string): [string, number][] {
  const bytes = new TextEncoder().encode(text);
  const found: [string, number][] = [];
  eachLine(bytes, (start, end, line) => {
    found.push([new TextDecoder().decode(bytes.subarray(start, end)), line]);
    return undefined;
  });
  return found;
}

test('lines are what split makes of the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'é', ' ', '\n', '\r') }), (text) => {
      const expected = text
        .split('\n')
        .map((line, index): [string, number] => [line.replace(/\r$/, ''), index + 1])
        .filter(([line]) => line !== '');
      assert.deepEqual(linesOf(text), expected);
    }),
  );
});

test('a failure and a line above the limit end it', () => {
  const bytes = Buffer.from('aaa\nbb\ncccc\n');
  const seen: number[] = [];
  const failure = eachLine(bytes, (_start, _end, line) => {
    seen.push(line);
    return line === 2 ? 'enough' : undefined;
  });
  assert.deepEqual([failure, seen], ['enough', [1, 2]]);
  const limited = eachLine(bytes, () => undefined, { first: 11, limit: { bytesMax: 3, option: 'lineMax' } });
  assert.equal(limited, 'cannot read line 13: it has 4 bytes; send shorter lines or raise -lineMax');
});

test('pieces of lines end where lines end, and not after one that the next line belongs to', () => {
  const plain = linePieces('lineMax');
  const noComments = linePieces(undefined, (first) => first === 0x23);
  assert.equal(plain.itemOption, 'lineMax');
  const cases: [string, number, number, number][] = [
    // text, from, end, end without comments
    ['', 0, 0, 0],
    ['a', 0, 0, 0],
    ['a\n', 0, 2, 2],
    ['a\nb', 0, 2, 2],
    ['a\nb', 2, 0, 0],
    ['a\nb\nc', 2, 4, 4],
    ['a\n#b\n#c\nd', 0, 8, 2],
    ['#a\n#b\n', 0, 6, 6],
    ['\n#b\n', 0, 4, 1],
  ];
  for (const [text, from, end, endWithout] of cases) {
    assert.equal(plain.lastEnd(Buffer.from(text), 0, from), end, text);
    assert.equal(noComments.lastEnd(Buffer.from(text), 0, from), endWithout, text);
  }
  for (const [text, lines] of [
    ['', 0],
    ['a', 1],
    ['a\n', 1],
    ['\n\na', 3],
  ] as const) {
    const sink = { items: -1 };
    eachLine(Buffer.from(text), () => undefined, { first: 100, sink });
    assert.equal(sink.items, lines);
  }
});
