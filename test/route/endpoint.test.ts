import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  distinctEndpoints,
  endpointOf,
  endpointUrl,
  hostPort,
  parseService,
} from '../../src/route/endpoint.ts';

test('a service is a name with a port, or an SRV name', () => {
  assert.deepEqual(parseService('vminsert-headless.monitoring.svc.cluster.local:8480'), {
    kind: 'addresses',
    name: 'vminsert-headless.monitoring.svc.cluster.local',
    port: 8480,
  });
  assert.deepEqual(parseService('_http._tcp.vminsert.example'), {
    kind: 'srv',
    name: '_http._tcp.vminsert.example',
  });
  const bad = [
    '',
    'host',
    'host:',
    ':80',
    'host:0',
    'host:65536',
    'http://host:80',
    '-a:80',
    'a b:80',
    'a/b:80',
  ];
  for (const text of bad) assert.equal(parseService(text), undefined, text);
});

test('endpoints are written as in a URL, sorted, and each once', () => {
  const endpoints = [
    { host: 'b', port: 1 },
    { host: 'fd00::1', port: 2 },
    { host: 'a', port: 1 },
    { host: 'b', port: 1 },
  ];
  assert.deepEqual(distinctEndpoints(endpoints).map(hostPort), ['[fd00::1]:2', 'a:1', 'b:1']);
});

test('the URL of an endpoint keeps everything but host and port', () => {
  const template = 'https://user:p%40ss@vminsert:1/insert/0/prometheus/api/v1/write?extra=1';
  const rest = '/insert/0/prometheus/api/v1/write?extra=1';
  assert.equal(
    endpointUrl(template, { host: '10.0.0.1', port: 8480 }),
    `https://user:p%40ss@10.0.0.1:8480${rest}`,
  );
  assert.equal(
    endpointUrl(template, { host: 'fd00::1', port: 8480 }),
    `https://user:p%40ss@[fd00::1]:8480${rest}`,
  );
});

test('a URL leads to its host and port, or to the port that its scheme has', () => {
  assert.deepEqual(endpointOf('http://user:pass@vminsert:8480/x'), { host: 'vminsert', port: 8480 });
  assert.deepEqual(endpointOf('https://[fd00::1]/'), { host: 'fd00::1', port: 443 });
  assert.deepEqual(endpointOf('http://a.example'), { host: 'a.example', port: 80 });
  const template = 'https://[fd00::1]:8480/insert?x=1';
  assert.equal(endpointUrl(template, endpointOf(template)), template);
});
