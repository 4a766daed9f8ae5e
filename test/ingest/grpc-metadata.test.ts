import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetadata } from '../../src/ingest/grpc-metadata.ts';

/** As Node gives them: values of one name joined, and one by one. */
function read(pairs: readonly (readonly [string, string])[], viaHeaders = true) {
  const headers: Record<string, string> = {};
  for (const [name, value] of pairs) {
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return readMetadata(headers, pairs.flat(), viaHeaders);
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('labels come one by one or in base64, in their order, with commas of their own', () => {
  const pairs = [
    ['grpc-accept-encoding', 'gzip'],
    ['extra_label', 'b=1, 2'],
    ['extra_label-bin', base64('a=é=x')],
    ['extra_label', 'c='],
    ['extra_label-bin', `${base64('d=1').replace(/=+$/, '')}, ${base64('e=\n')}`],
  ] as const;
  const extraLabels = [
    { name: 'b', value: '1, 2' },
    { name: 'a', value: 'é=x' },
    { name: 'c', value: '' },
    { name: 'd', value: '1' },
    { name: 'e', value: '\n' },
  ];
  const first = read(pairs);
  assert.deepEqual(first, { tenant: undefined, extraLabels });
  const again = read(pairs);
  assert.ok(!('error' in first) && !('error' in again));
  assert.equal(first.extraLabels, again.extraLabels, 'so that requests share their format');
  assert.deepEqual(read([]), { tenant: undefined, extraLabels: [] });
});

test('what is no label is an error that shows it', () => {
  for (const [name, value, expected] of [
    ['extra_label', 'foo', /metadata extra_label: "foo": it is not of the form name=value/],
    ['extra_label', '=x', /"=x"/],
    ['extra_label', '', /extra_label: ""/],
    ['extra_label-bin', base64('foo'), /metadata extra_label-bin: "foo": it is not of the form/],
    ['extra_label-bin', 'a=b!', /"a=b!": it is not base64 of UTF-8/],
    ['extra_label-bin', Buffer.from([0x61, 0x3d, 0xff]).toString('base64'), /not base64 of UTF-8/],
  ] as const) {
    const found = read([
      ['extra_label', 'a=b'],
      [name, value],
    ]);
    assert.ok('error' in found && expected.test(found.error), JSON.stringify(found));
  }
  const long = read([['extra_label', 'x'.repeat(5_000)]]);
  assert.ok('error' in long && long.error.length < 300);
});

test('a tenant is named by headers, where that is allowed; its labels are the last ones', () => {
  const own = (account: number, project: number) => [
    { name: 'vm_account_id', value: String(account) },
    { name: 'vm_project_id', value: String(project) },
  ];
  assert.deepEqual(
    read([
      ['accountid', '12'],
      ['extra_label', 'vm_account_id=5'],
      ['extra_label', 'a=b'],
    ]),
    { tenant: { accountId: 12, projectId: 0 }, extraLabels: [{ name: 'a', value: 'b' }, ...own(12, 0)] },
  );
  assert.deepEqual(read([['projectid', '3']]), {
    tenant: { accountId: 0, projectId: 3 },
    extraLabels: own(0, 3),
  });
  const none = { tenant: undefined, extraLabels: [] };
  assert.deepEqual(read([['accountid', 'multitenant']]), none);
  assert.deepEqual(read([['accountid', '12']], false), none);
  assert.deepEqual(read([['accountid', '']]), none);
  for (const text of ['x', '-1', '4294967296', '1:2']) {
    const found = read([['accountid', text]]);
    assert.ok('error' in found && found.error.includes(`AccountID: ${JSON.stringify(text)}`), text);
  }
});
