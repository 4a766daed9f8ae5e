import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tellings } from '../../../src/transform/aggregate/tellings.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';

function nextOf({ group, kind, low, high }: Tellings) {
  const value = new Float64Array(Uint32Array.of(low, high).buffer)[0];
  const suffix = new TextDecoder().decode(kind.suffix);
  return [group, value, suffix, kind.label?.value, kind.extra.length > 0];
}

function taken(tellings: Tellings) {
  const all: unknown[] = [];
  for (; tellings.size > 0; tellings.next()) all.push(nextOf(tellings));
  return all;
}

function filled(): Tellings {
  const tellings = new Tellings([':1m_last', ':1m_quantiles']);
  tellings.flushMs = 5;
  tellings.expect(100);
  for (let group = 0; group < 300; group++) tellings.add(group, 0, group / 3, undefined);
  tellings.add(7, 1, -0, { name: 'quantile', value: '0.5' });
  tellings.add(7, 1, 1, { name: 'quantile', value: '1' });
  tellings.add(8, 1, 2, { name: 'quantile', value: '0.5' });
  return tellings;
}

test('values come out as they went in, and memory goes with the last', () => {
  const tellings = filled();
  assert.deepEqual([tellings.size, tellings.byteLength > 0], [303, true]);
  const all = taken(tellings);
  assert.deepEqual(all[3], [3, 1, ':1m_last', undefined, false]);
  assert.deepEqual(all.slice(-3), [
    [7, -0, ':1m_quantiles', '0.5', true],
    [7, 1, ':1m_quantiles', '1', true],
    [8, 2, ':1m_quantiles', '0.5', true],
  ]);
  assert.deepEqual([tellings.size, tellings.byteLength], [0, 0]);
});

test('those that wait are saved, and are told by the next one', () => {
  const tellings = filled();
  for (let nth = 0; nth < 250; nth++) tellings.next();
  const to = new ByteWriter();
  tellings.save(to);
  const suffixes = [':1m_last', ':1m_quantiles'];
  const next = new Tellings(suffixes);
  next.load(new ByteReader(to.bytes()), () => true);
  assert.equal(next.flushMs, 5);
  assert.deepEqual(taken(next), taken(tellings));
  const load = (of: Tellings, isGroup: boolean) => of.load(new ByteReader(to.bytes()), () => isGroup);
  assert.throws(() => load(new Tellings(suffixes), false), DamagedState);
  assert.throws(() => load(new Tellings([':1m_last']), true), DamagedState);
});

test('nothing is saved as nothing', () => {
  const to = new ByteWriter();
  new Tellings(['']).save(to);
  const next = new Tellings(['']);
  next.load(new ByteReader(to.bytes()), () => false);
  assert.equal(next.size, 0);
});
