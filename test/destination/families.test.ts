import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Families } from '../../src/destination/families.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';

const field = (type: number, metricFamilyName: string, help = 'h', unit = '') =>
  remoteWriteType('WriteRequest')
    .encode({ metadata: [{ type, metricFamilyName, help, unit }] })
    .finish();

test('a metric is found by its family, where its type has such series', () => {
  const families = new Families();
  for (const [type, name] of [
    [3, 'h'],
    [4, 'g'],
    [5, 's'],
    [1, 'c'],
    [6, 'i'],
    [2, 'v'],
  ] as const) {
    families.learn(field(type, name, `help of ${name}`));
  }
  const found = (name: string) => families.of(name)?.help;
  for (const [name, family] of Object.entries({
    h: 'h',
    h_bucket: 'h',
    h_count: 'h',
    h_sum: 'h',
    g_bucket: 'g',
    g_gcount: 'g',
    g_gsum: 'g',
    s_sum: 's',
    s_count: 's',
    c_total: 'c',
    i_info: 'i',
    v: 'v',
  }))
    assert.equal(found(name), `help of ${family}`, name);
  for (const name of ['v_bucket', 'v_total', 's_bucket', 'g_count', 'h_total', 'x', ''])
    assert.equal(found(name), undefined, name);
  families.learn(field(3, 'h', 'new', 's'));
  assert.deepEqual(families.of('h'), { type: 3, help: 'new', unit: 's' });
});

test('there is an end to families and to their texts, and what is left out is counted', () => {
  const families = new Families(2);
  for (const name of ['a', 'b', 'c', 'a']) families.learn(field(1, name));
  assert.equal(families.size, 2);
  assert.equal(families.leftOut, 1);
  families.learn(field(1, 'a', 'x'.repeat(65_536)));
  assert.equal(families.leftOut, 2);
  assert.equal(families.of('a')!.help, 'h');
  families.learn(Uint8Array.of(0x1a, 0x05));
  assert.equal(families.leftOut, 3);
});
