import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SenderMetrics } from '../../src/deliver/sender-metrics.ts';
import { FakeMeter } from './support.ts';

test('2xx is counted together from the start, everything else by its status', () => {
  const meter = new FakeMeter();
  const metrics = new SenderMetrics(meter, 'u', 4, 0);
  const value = (status_code: string) =>
    meter.value('vmagent_remotewrite_requests_total', { url: 'u', status_code });
  assert.equal(value('2XX'), 0);
  assert.equal(value('503'), undefined);
  for (const status of [200, 204, 503, 503, 999]) metrics.answered(status);
  assert.deepEqual([value('2XX'), value('503'), value('999')], [2, 2, 1]);
});
