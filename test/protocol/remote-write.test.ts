import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reception } from '../../src/protocol/protocol.ts';
import { remoteWrite } from '../../src/protocol/remote-write.ts';

function receive(headers: Readonly<Record<string, string>>, query = ''): Reception {
  return remoteWrite.receive(
    {
      route: remoteWrite.routes[0]!,
      path: '/api/v1/write',
      query: new URLSearchParams(query),
      receivedMs: 0,
      header: (name) => headers[name] ?? '',
    },
    {},
  );
}

test('remote write has vmagent’s paths, counted as one', () => {
  assert.deepEqual(
    remoteWrite.routes.map(({ path }) => path),
    ['/api/v1/write', '/api/v1/push', '/prometheus/api/v1/write', '/prometheus/api/v1/push'],
  );
  assert.deepEqual([...new Set(remoteWrite.routes.map(({ counterPath }) => counterPath))], ['/api/v1/write']);
});

test('Content-Encoding only decides what is tried first', () => {
  const encodings = {
    zstd: 'zstd-or-snappy',
    snappy: 'snappy-or-zstd',
    gzip: 'snappy-or-zstd',
    '': 'snappy-or-zstd',
  };
  for (const [header, encoding] of Object.entries(encodings)) {
    assert.deepEqual(receive({ 'content-encoding': header }), { kind: 'body', encoding }, header);
  }
});

test('the handshake is answered with 1, whatever value it asks with', () => {
  for (const value of ['1', '0', 'x']) {
    const reception = receive({}, `get_vm_proto_version=${value}`);
    assert.equal(reception.kind === 'answer' && reception.answer.body, '1');
  }
  assert.equal(receive({}, 'get_vm_proto_version=').kind, 'body');
});

test('remote write 2.0 is refused with 415, 1.0 by its full name is not', () => {
  for (const name of ['io.prometheus.write.v2.Request', 'IO.Prometheus.Write.V2.Request']) {
    const reception = receive({ 'content-type': `application/x-protobuf;proto=${name}` });
    assert.equal(reception.kind === 'refusal' && reception.status, 415);
  }
  const first = receive({ 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' });
  assert.equal(first.kind, 'body');
  assert.equal(receive({ 'content-type': 'image/png' }).kind, 'body');
});
