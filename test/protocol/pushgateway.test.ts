import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathLabels } from '../../src/protocol/pushgateway.ts';

function labelsOf(path: string): string {
  const found = pathLabels(`/api/v1/import/prometheus${path}`);
  if ('error' in found) return found.error;
  return found.labels.map(({ name, value }) => `${name}=${value}`).join(',');
}

test('a path gives the labels that a Pushgateway takes from it', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['/metrics/job', ''],
    ['/metrics/job/', ''],
    ['/metrics/foo/bar', ''],
    ['/metrics/jobs/bar', ''],
    ['/metrics/job/test', 'job=test'],
    ['/metrics/job/test/instance/i', 'job=test,instance=i'],
    ['/metrics/job@base64/dGVzdA', 'job=test'],
    ['/metrics/job/test/empty@base64/=', 'job=test'],
    ['/metrics/job/test/t@base64/PT0vPT0', 'job=test,t===/=='],
    ['/metrics/job/test/t@base64/PT0vPT0=', 'job=test,t===/=='],
    ['/metrics/job/x%2Fy/a', 'job=x,y=a'],
    ['/metrics/job/%C3%A9', 'job=é'],
  ];
  for (const [path, expected] of cases) assert.equal(labelsOf(path), expected, path);
});

test('what cannot be read is refused with the reason', () => {
  assert.match(labelsOf('/metrics/job/foo/bar'), /^cannot read labels .* there is no value for "bar"/);
  assert.match(labelsOf('/metrics/job@base64/#$%25'), /is not URL-safe base64/);
  assert.match(labelsOf('/metrics/job@base64/a'), /is not URL-safe base64/);
  assert.match(labelsOf('/metrics/job/%ff'), /is not percent-encoded UTF-8/);
});
