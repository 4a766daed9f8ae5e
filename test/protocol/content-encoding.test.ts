import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prometheusText } from '../../src/protocol/prometheus-text.ts';
import { receive } from './support.ts';

test('encodings go by their exact names', () => {
  const cases = {
    '': 'plain',
    none: 'plain',
    identity: 'plain',
    gzip: 'gzip',
    deflate: 'deflate',
    zstd: 'zstd',
    snappy: 'snappy',
  };
  for (const [name, encoding] of Object.entries(cases)) {
    const reception = receive(prometheusText, { headers: { 'content-encoding': name } });
    assert.equal(reception.kind === 'body' && reception.encoding, encoding, name);
  }
  for (const name of ['br', 'GZIP', 'gzip, gzip', 'toString', '__proto__']) {
    const reception = receive(prometheusText, { headers: { 'content-encoding': name } });
    assert.equal(reception.kind === 'refusal' && reception.status, 400, name);
  }
});
