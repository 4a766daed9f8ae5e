import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTenantPath } from '../../src/ingest/tenant.ts';

const REST = '/prometheus/api/v1/write';

function read(path: string, viaHeaders = false, headers: Readonly<Record<string, string>> = {}) {
  const found = readTenantPath(`/insert/${path}`, viaHeaders, (name) => headers[name] ?? '');
  if ('error' in found) return found.error;
  const { tenant, rest } = found;
  return [tenant === undefined ? 'multitenant' : `${tenant.accountId}:${tenant.projectId}`, rest];
}

test('the path names the tenant', () => {
  const cases = {
    '0': '0:0',
    '12': '12:0',
    '12:34': '12:34',
    '007:1': '7:1',
    '4294967295:4294967295': '4294967295:4294967295',
    multitenant: 'multitenant',
  };
  for (const [text, tenant] of Object.entries(cases)) {
    assert.deepEqual(read(`${text}${REST}`), [tenant, REST], text);
    assert.deepEqual(
      read(`${text}${REST}`, true, { accountid: '99' }),
      [tenant, REST],
      `${text}, against headers`,
    );
  }
  assert.deepEqual(read('5'), ['5:0', '']);
});

test('what is no tenant is refused by its text', () => {
  const bad = [
    '',
    'abc',
    '1:2:3',
    '1:',
    ':1',
    '-1',
    '+1',
    '1.5',
    '4294967296',
    '1:4294967296',
    '0x1',
    '1e3',
    ' 1',
    '1_0',
    'Multitenant',
    'multitenant:1',
  ];
  for (const text of bad) {
    const error = read(`${text}${REST}`);
    assert.equal(typeof error, 'string', text);
    assert.ok(error.includes(JSON.stringify(text)), String(error));
  }
  assert.match(String(read(`${'9'.repeat(500)}${REST}`)), /^.{1,300}$/);
});

test('headers name it where the path does not', () => {
  const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{}, '0:0'],
    [{ accountid: '7' }, '7:0'],
    [{ projectid: '8' }, '0:8'],
    [{ accountid: '7', projectid: '8' }, '7:8'],
    [{ accountid: 'multitenant' }, 'multitenant'],
  ];
  for (const [headers, tenant] of cases) assert.deepEqual(read(REST.slice(1), true, headers), [tenant, REST]);
  assert.match(String(read(REST.slice(1), true, { accountid: 'x' })), /header AccountID: "x"/);
  assert.match(String(read(REST.slice(1), true, { projectid: '-1' })), /header ProjectID: "-1"/);
  // Something with a colon is meant to be a tenant.
  assert.match(String(read(`1:x${REST}`, true)), /tenant "1:x" in the path/);
  assert.deepEqual(read(`:1${REST}`, true), ['0:0', `/:1${REST}`]);
  assert.match(String(read(REST.slice(1), false)), /tenant "prometheus" in the path/);
});

test('one tenant is one object, however many there are', () => {
  const of = (path: string) => {
    const found = readTenantPath(`/insert/${path}/x`, false, () => '');
    return 'error' in found ? undefined : found.tenant;
  };
  assert.equal(of('1:2'), of('01:2'));
  for (let id = 0; id < 2_500; id++) assert.deepEqual(of(`${id}`), { accountId: id, projectId: 0 });
});
