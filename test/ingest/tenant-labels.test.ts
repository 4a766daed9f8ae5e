import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withTenant } from '../../src/ingest/tenant-labels.ts';

const label = (name: string, value: string) => ({ name, value });
const own = [label('vm_account_id', '7'), label('vm_project_id', '8')];

test('the labels of a tenant come last, and are the only ones of their names', () => {
  const tenant = { accountId: 7, projectId: 8 };
  const labels = [label('vm_account_id', '1'), label('a', 'b'), label('vm_project_id', '2')];
  assert.deepEqual(withTenant(labels, tenant), [label('a', 'b'), ...own]);
  assert.deepEqual(withTenant([], tenant), own);
  assert.equal(withTenant([], tenant), withTenant([], tenant), 'one array for all requests without labels');
  assert.equal(withTenant(labels, undefined), labels);
});
