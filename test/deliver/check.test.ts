import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDestination, checkUrl } from '../../src/deliver/check.ts';
import { type DeliverValues, parallelOf } from '../../src/deliver/options.ts';
import { Secret } from '../../src/util/secret.ts';
import { valuesWith } from './support.ts';

const messages = (over: Partial<DeliverValues>) =>
  checkDestination(valuesWith(over), 'destination 1').map(({ message }) => message);

test('the defaults are in order', () => {
  assert.deepEqual(checkDestination(valuesWith(), 'x'), []);
});

test('each mistake is told, with a hint, without its value', () => {
  const canary = new Secret('canary');
  const cases: [Partial<DeliverValues>, RegExp][] = [
    [
      { 'remoteWrite.bearerToken': canary, 'remoteWrite.basicAuth.username': 'u' },
      /^more than one kind of authentication is set: basicAuth, bearerToken$/,
    ],
    [{ 'remoteWrite.bearerToken': canary, 'remoteWrite.bearerTokenFile': 'f' }, /^both .*bearerToken and /],
    [
      {
        'remoteWrite.basicAuth.username': 'u',
        'remoteWrite.basicAuth.password': canary,
        'remoteWrite.basicAuth.passwordFile': 'f',
      },
      /^both .*password and /,
    ],
    [{ 'remoteWrite.basicAuth.password': canary }, /^a password without a user name/],
    [{ 'remoteWrite.forceVMProto': true, 'remoteWrite.forcePromProto': true }, /^both .*forceVMProto/],
    [
      { 'remoteWrite.forceVMProto': true, 'remoteWrite.protobufMessage': 'io.prometheus.write.v2.Request' },
      /^-remoteWrite.forceVMProto is set, and -remoteWrite.protobufMessage is/,
    ],
    [{ 'remoteWrite.proxyURL': new Secret('canary:3128') }, /^-remoteWrite.proxyURL has no :\/\/$/],
    [{ 'remoteWrite.proxyURL': new Secret('http://') }, /cannot be parsed/],
    [{ 'remoteWrite.proxyURL': new Secret('ftp://canary') }, /scheme that is not supported/],
    [{ 'remoteWrite.headers': new Secret('canary') }, /header 1 has no colon/],
    [{ 'remoteWrite.headers': new Secret('A: b^^C d: canary') }, /header 2 has an invalid name/],
    [{ 'remoteWrite.headers': new Secret('A: canary\r\nB: c') }, /header A has a line break or NUL/],
    [{ 'remoteWrite.headers': new Secret('A: canary\n') }, /header A has a line break or NUL/],
    [{ 'remoteWrite.headers': new Secret('A: x\0canary') }, /header A has a line break or NUL/],
    [{ 'remoteWrite.headers': new Secret('A: canary €') }, /characters that HTTP does not allow/],
    [
      { 'remoteWrite.headers': new Secret('Transfer-Encoding: canary') },
      /header Transfer-Encoding is set by the connection/,
    ],
    [{ 'remoteWrite.tlsCertFile': 'f' }, /only work together/],
    [{ 'remoteWrite.aws.useSigv4': true, 'remoteWrite.aws.accessKey': canary }, /only work together/],
  ];
  for (const [over, want] of cases) {
    const problems = checkDestination(valuesWith(over), 'destination 1');
    assert.equal(problems.length, 1, String(want));
    assert.match(problems[0]!.message, want);
    assert.equal(problems[0]!.where, 'destination 1');
    assert.ok(problems[0]!.hint.length > 0);
    assert.doesNotMatch(JSON.stringify(problems), /canary/);
  }
});

test('good headers and proxies pass', () => {
  assert.deepEqual(messages({ 'remoteWrite.headers': new Secret('A: b^^ X-Y:z: 1 ^^') }), []);
  for (const proxy of ['http://p:1', 'https://u:p@p', 'socks5://p:1']) {
    assert.deepEqual(messages({ 'remoteWrite.proxyURL': new Secret(proxy) }), []);
  }
});

test('URLs of no kind and without file are told', () => {
  for (const url of ['http://a/x', 'https://dns+a:1/x', 'file:a', 'file:///a'])
    assert.deepEqual(checkUrl(url, 'x'), []);
  for (const url of ['kafka://b/?topic=t', 'canary', 'http://', 'file:', 'file://host/x']) {
    const problems = checkUrl(url, 'destination 2');
    assert.equal(problems.length, 1, url);
    assert.doesNotMatch(JSON.stringify(problems), /canary/);
  }
});

test('the number of parallel requests is kept between 1 and 16 × CPUs', () => {
  const parallel = (queues: number) => parallelOf(valuesWith({ 'remoteWrite.queues': queues }), 2);
  assert.deepEqual([-1, 0, 1, 7, 32, 33].map(parallel), [1, 1, 1, 7, 32, 32]);
});
