import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { namesTenants, ofTenant } from '../../src/engine/tenant.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';

const WriteRequest = remoteWriteType('WriteRequest');
const tenant = { accountId: 7, projectId: 4_294_967_295 };

interface Request {
  readonly timeseries: readonly { readonly labels: readonly { name: string; value: string }[] }[];
  readonly metadata: readonly object[];
}

const encode = (request: object) => WriteRequest.encode(WriteRequest.fromObject(request)).finish();
const decode = (bytes: Uint8Array) =>
  WriteRequest.toObject(WriteRequest.decode(bytes), { arrays: true, longs: Number }) as unknown as Request;

test('labels of tenants go, metadata says whose it is, and nothing else changes', () => {
  const name = fc.constantFrom(
    '__name__',
    'vm_account_id',
    'vm_project_id',
    'vm_account_id2',
    'job',
    'vm_account',
  );
  const request = fc.record({
    timeseries: fc.array(
      fc.record({
        labels: fc.array(fc.record({ name, value: fc.string() }), { maxLength: 6 }),
        samples: fc.array(fc.record({ value: fc.double(), timestamp: fc.maxSafeInteger() }), {
          maxLength: 3,
        }),
        exemplars: fc.array(
          fc.record({ labels: fc.array(fc.record({ name, value: fc.string() }), { maxLength: 2 }) }),
          { maxLength: 1 },
        ),
      }),
      { maxLength: 5 },
    ),
    metadata: fc.array(
      fc.record({
        metricFamilyName: fc.string(),
        help: fc.string(),
        accountId: fc.nat(),
        projectId: fc.nat(),
      }),
      { maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(request, (made) => {
      const before = decode(encode(made));
      const isOther = ({ name: own }: { name: string }) => own !== 'vm_account_id' && own !== 'vm_project_id';
      const expected = {
        timeseries: before.timeseries.map((series) => ({ ...series, labels: series.labels.filter(isOther) })),
        metadata: before.metadata.map((entry) => ({ ...entry, accountId: 7, projectId: 4_294_967_295 })),
      };
      const message = encode(made);
      const after = decode(ofTenant(message, tenant));
      assert.deepEqual(after, expected);
      const changes = JSON.stringify(after) !== JSON.stringify(before);
      if (changes) assert.ok(namesTenants(message, before.metadata.length));
    }),
  );
});

test('tenant 0 is not written, and what is not concerned is not written anew', () => {
  const message = encode({ metadata: [{ metricFamilyName: 'a', accountId: 5, projectId: 6 }] });
  const [entry] = decode(ofTenant(message, { accountId: 0, projectId: 0 })).metadata;
  assert.deepEqual(entry, { metricFamilyName: 'a' });
  assert.equal(namesTenants(encode({ timeseries: [{ labels: [{ name: 'a', value: 'b' }] }] }), 0), false);
});
