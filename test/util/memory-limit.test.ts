import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { test } from 'node:test';
import { memoryLimit } from '../../src/util/memory-limit.ts';

const limitedTo = (bytes: number | undefined) => ({ memoryLimitBytes: () => bytes });

test('a share of what the container allows, or of what the machine has', () => {
  const settings = { allowedPercent: 60, allowedBytes: 0 };
  const f = (limit: number | undefined, available: number, allowed: number) =>
    assert.deepEqual(memoryLimit(settings, limitedTo(limit), 1_000), {
      availableBytes: available,
      allowedBytes: allowed,
    });
  f(undefined, 1_000, 600);
  f(500, 500, 300);
  f(2 ** 63 - 4096, 1_000, 600);
});

test('-memory.allowedBytes wins', () => {
  const limit = memoryLimit({ allowedPercent: 60, allowedBytes: 123 }, limitedTo(500), 1_000);
  assert.equal(limit.allowedBytes, 123);
});

test('on this machine it is more than nothing', () => {
  const { availableBytes } = memoryLimit({ allowedPercent: 60, allowedBytes: 0 });
  assert.ok(availableBytes > 0 && availableBytes <= totalmem());
});
