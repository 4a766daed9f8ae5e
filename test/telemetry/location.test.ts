import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerLocation } from '../../src/telemetry/location.ts';

test('tells folder, file and line of the caller', () => {
  const line = new Error().stack!.split('\n')[1]!.match(/:(\d+):\d+\)?$/)![1]!;
  assert.equal(callerLocation(), `telemetry/location.test.ts:${Number(line) + 1}`);
});

test('leaves the setting for stack traces as it was', () => {
  const before = Error.stackTraceLimit;
  callerLocation();
  assert.equal(Error.stackTraceLimit, before);
});
