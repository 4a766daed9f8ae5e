import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eachLine } from '../../src/protocol/lines.ts';

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
  const limited = eachLine(bytes, () => undefined, { bytesMax: 3, option: 'lineMax' });
  assert.equal(limited, 'cannot read line 3: it has 4 bytes; send shorter lines or raise -lineMax');
});
