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

test('the Content-Type tells 2.0 from 1.0', () => {
  const messageOf = (contentType: string, encoding = 'snappy') => {
    const reception = receive({ 'content-type': contentType, 'content-encoding': encoding });
    return reception.kind === 'body'
      ? (reception.message ?? 1)
      : reception.kind === 'refusal' && reception.status;
  };
  const second = 'io.prometheus.write.v2.Request';
  const type = 'application/x-protobuf';
  for (const name of [second, second.toUpperCase(), `"${second}"`, `${second};x=y`]) {
    assert.equal(messageOf(`${type};proto=${name}`), second, name);
    assert.equal(messageOf(`${type}; x=y; Proto=${name}`), second, name);
  }
  for (const first of ['', type, `${type};proto=prometheus.WriteRequest`, 'application/octet-stream', 'x']) {
    assert.equal(messageOf(first), 1, first);
  }
  for (const unknown of [`${type};proto=x`, `${type};proto`, `${type};proto=`]) {
    assert.equal(messageOf(unknown), 415, unknown);
  }
  for (const other of ['application/json', 'image/png', 'Application/JSON; charset=utf-8']) {
    assert.equal(messageOf(other), 415, other);
  }
});

test('2.0 is strict about its encoding', () => {
  const encodingOf = (encoding: string) => {
    const contentType = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
    const reception = receive({ 'content-type': contentType, 'content-encoding': encoding });
    return reception.kind === 'body' ? reception.encoding : reception.kind === 'refusal' && reception.status;
  };
  const encodings = {
    snappy: 'snappy-or-zstd',
    Snappy: 'snappy-or-zstd',
    '': 'snappy-or-zstd',
    zstd: 'zstd-or-snappy',
    gzip: 415,
    deflate: 415,
  };
  for (const [name, expected] of Object.entries(encodings)) assert.equal(encodingOf(name), expected, name);
});
