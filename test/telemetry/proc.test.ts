import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parsePressure, readProc } from '../../src/telemetry/proc.ts';
import { temporaryDirectory } from '../support/process.ts';

const STATUS = `Name:	node
Umask:	0022
VmPeak:	 9000000 kB
VmSize:	 8000000 kB
VmHWM:	  120000 kB
VmRSS:	  100000 kB
RssAnon:	   60000 kB
RssFile:	   40000 kB
Threads:	11
voluntary_ctxt_switches:	5
`;

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             96423                96423                processes
Max open files            1024                 524288               files
`;

test('reads what the kernel tells', (t) => {
  const root = temporaryDirectory(t);
  const files: Record<string, string> = {
    status: STATUS,
    limits: LIMITS,
    io: 'rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n',
    'fd/0': '',
    'fd/1': '',
    'fd/17': '',
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, 'proc/self', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  assert.deepEqual(readProc(root), {
    residentBytes: 102_400_000,
    residentAnonBytes: 61_440_000,
    residentFileBytes: 40_960_000,
    residentPeakBytes: 122_880_000,
    virtualBytes: 8_192_000_000,
    threads: 11,
    openFds: 3,
    maxFds: 1024,
    readBytes: 1,
    writtenBytes: 2,
    storageReadBytes: 5,
    storageWrittenBytes: 6,
  });
  writeFileSync(join(root, 'proc/self/limits'), LIMITS.replace('1024  ', 'unlimited'));
  assert.equal(readProc(root).maxFds, Number.POSITIVE_INFINITY);
});

test('without /proc nothing is known, and nothing fails', (t) => {
  for (const [name, value] of Object.entries(readProc(temporaryDirectory(t)))) {
    assert.ok(Number.isNaN(value), name);
  }
});

test('pressure is in seconds', () => {
  const text = `some avg10=1.52 avg60=0.51 avg300=0.12 total=2500000
full avg10=0.00 avg60=0.00 avg300=0.00 total=1
`;
  assert.deepEqual(parsePressure(text), { waitingS: 2.5, stalledS: 1e-6 });
  assert.deepEqual(parsePressure(undefined), { waitingS: Number.NaN, stalledS: Number.NaN });
});
