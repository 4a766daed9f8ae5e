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

test('tenants that tell different things of a family have their own, those that agree share it', () => {
  const families = new Families();
  const tell = (accountId: number, projectId: number, type: number, help: string, name = 'h') =>
    families.learn(
      remoteWriteType('WriteRequest')
        .encode({ metadata: [{ type, metricFamilyName: name, help, unit: '', accountId, projectId }] })
        .finish(),
    );
  const shown = (name: string) =>
    families.of(name)?.tenants?.map(({ account, project, help }) => `${account}:${project} ${help}`);
  tell(1, 2, 3, 'same');
  tell(3, 0, 3, 'same');
  assert.deepEqual(families.of('h'), { type: 3, help: 'same', unit: '' });
  assert.equal(families.size, 1);
  tell(1, 2, 3, 'new');
  assert.deepEqual(families.of('h'), { type: 3, help: 'new', unit: '' });
  tell(3, 0, 3, 'same');
  assert.deepEqual(shown('h'), ['1:2 new', '3:0 same']);
  assert.deepEqual(shown('h_bucket'), ['1:2 new', '3:0 same']);
  tell(0, 0, 2, 'a gauge');
  tell(1, 2, 3, 'newer');
  assert.deepEqual(shown('h'), ['1:2 newer', '3:0 same', '0:0 a gauge']);
  assert.deepEqual(shown('h_bucket'), ['1:2 newer', '3:0 same'], 'a gauge has no buckets');
  assert.equal(families.of('h')!.help, 'newer');
  assert.equal(families.size, 4);
});

test('the tenants of families count as families do', () => {
  const families = new Families(3);
  for (const accountId of [1, 2, 3]) {
    const metadata = [{ type: 1, metricFamilyName: 'a', help: `h${accountId}`, accountId }];
    families.learn(remoteWriteType('WriteRequest').encode({ metadata }).finish());
  }
  assert.equal(families.size, 3);
  assert.equal(families.leftOut, 1);
  assert.deepEqual(
    families.of('a')!.tenants!.map(({ account }) => account),
    ['1', '2'],
  );
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
