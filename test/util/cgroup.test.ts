import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Cgroup } from '../../src/util/cgroup.ts';
import { temporaryDirectory } from '../support/process.ts';

function cgroupOf(t: TestContext, files: Readonly<Record<string, string>>): Cgroup {
  const root = temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name.replace(/^@/, 'sys/fs/cgroup/'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return new Cgroup(root);
}

const V2 = { '@cgroup.controllers': 'cpu memory\n' };
const V1_PATHS = '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n';

test('v2: the strictest limit on the way up counts', (t) => {
  const cgroup = cgroupOf(t, {
    ...V2,
    'proc/self/cgroup': '0::/kubepods/pod1/c1\n',
    '@kubepods/pod1/c1/memory.max': 'max\n',
    '@kubepods/pod1/memory.max': '1073741824\n',
    '@kubepods/memory.max': '8589934592\n',
    '@kubepods/pod1/c1/cpu.max': '150000 100000\n',
    '@kubepods/pod1/cpu.max': 'max 100000\n',
  });
  assert.equal(cgroup.isV2, true);
  assert.equal(cgroup.memoryLimitBytes(), 1_073_741_824);
  assert.equal(cgroup.cpuLimit(), 1.5);
});

test('v2: in a container the group is the mount point', (t) => {
  const cgroup = cgroupOf(t, {
    ...V2,
    'proc/self/cgroup': '0::/\n',
    '@memory.max': '536870912\n',
    '@cpu.max': 'max 100000\n',
    '@cpu.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n',
  });
  assert.equal(cgroup.memoryLimitBytes(), 536_870_912);
  assert.equal(cgroup.cpuLimit(), undefined);
  assert.match(cgroup.pressure('cpu')!, /total=7/);
  assert.equal(cgroup.pressure('io'), undefined);
});

test('v2: a path outside of the namespace is not followed', (t) => {
  const cgroup = cgroupOf(t, { ...V2, 'proc/self/cgroup': '0::/../../other\n', '@memory.max': '1000\n' });
  assert.equal(cgroup.memoryLimitBytes(), 1000);
});

test('v1: every controller has its own hierarchy', (t) => {
  const cgroup = cgroupOf(t, {
    'proc/self/cgroup': V1_PATHS,
    '@memory/docker/abc/memory.limit_in_bytes': '268435456\n',
    '@memory/memory.limit_in_bytes': '9223372036854771712\n',
    '@cpu/docker/abc/cpu.cfs_quota_us': '25000\n',
    '@cpu/docker/abc/cpu.cfs_period_us': '50000\n',
    '@cpu/cpu.cfs_quota_us': '-1\n',
    '@cpu/cpu.cfs_period_us': '100000\n',
  });
  assert.equal(cgroup.isV2, false);
  assert.equal(cgroup.memoryLimitBytes(), 268_435_456);
  assert.equal(cgroup.cpuLimit(), 0.5);
  assert.equal(cgroup.pressure('cpu'), undefined);
});

test("v1: in a container only the mount point is there, not the host's path", (t) => {
  const cgroup = cgroupOf(t, { 'proc/self/cgroup': V1_PATHS, '@memory/memory.limit_in_bytes': '1000000\n' });
  assert.equal(cgroup.memoryLimitBytes(), 1_000_000);
});

test('without control groups nothing is limited', (t) => {
  const cgroup = cgroupOf(t, {});
  assert.equal(cgroup.memoryLimitBytes(), undefined);
  assert.equal(cgroup.cpuLimit(), undefined);
});
