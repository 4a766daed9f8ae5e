import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { signRequest, sigv4 } from '../../../src/deliver/auth/sigv4.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { Secret } from '../../../src/util/secret.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { serve, valuesWith } from '../support.ts';

/** Keys, scope and time of AWS' published Signature Version 4 test suite. */
const scope = {
  keys: { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  region: 'us-east-1',
  service: 'service',
};
const at = Date.UTC(2015, 7, 30, 12, 36, 0);

test("signatures are those of AWS' test suite", () => {
  const cases = [
    ['get-vanilla', 'GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      '/?Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'post-vanilla-query',
      'POST',
      '/?Param1=value1',
      '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
    ],
  ] as const;
  for (const [name, method, target, signature] of cases) {
    const url = new URL(`https://example.amazonaws.com${target}`);
    const request = { method, url, host: 'example.amazonaws.com', body: new Uint8Array() };
    const headers = Object.fromEntries(signRequest(request, scope, at));
    const want = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`;
    assert.equal(headers.Authorization, want, name);
    assert.equal(headers['X-Amz-Date'], '20150830T123600Z');
    assert.equal('X-Amz-Security-Token' in headers, false);
  }
});

test('the body changes the signature and a session token is added', () => {
  const request = { method: 'POST', url: new URL('http://h/'), host: 'h', body: Buffer.from('a') };
  const other = { ...request, body: Buffer.from('b') };
  assert.notDeepEqual(signRequest(request, scope, at), signRequest(other, scope, at));
  const temporary = { ...scope, keys: { ...scope.keys, sessionToken: 'st' } };
  assert.deepEqual(signRequest(request, temporary, at).at(-1), ['X-Amz-Security-Token', 'st']);
});

function open(over: Record<string, unknown>, env: Record<string, string> = {}, clock = new FakeClock()) {
  const values = valuesWith({ 'remoteWrite.aws.useSigv4': true, ...over });
  const auth = sigv4.open(values, { clock, env, redactor: new Redactor() });
  const url = new URL('http://aps.example/w');
  return {
    clock,
    async headers(): Promise<Record<string, string>> {
      const request = { method: 'POST', url, host: url.host, body: new Uint8Array() } as const;
      return Object.fromEntries(await auth.headers(request));
    },
  };
}

const keyOf = (headers: Record<string, string>) => /Credential=([^,]+),/.exec(headers.Authorization!)?.[1];

test('keys come from the options, then from the environment', async () => {
  const keys = {
    'remoteWrite.aws.region': 'eu-west-1',
    'remoteWrite.aws.accessKey': new Secret('AK'),
    'remoteWrite.aws.secretKey': new Secret('SK'),
  };
  const env = {
    AWS_ACCESS_KEY_ID: 'EK',
    AWS_SECRET_ACCESS_KEY: 'ES',
    AWS_SESSION_TOKEN: 'ET',
    AWS_REGION: 'env-1',
  };
  assert.match(keyOf(await open(keys, env).headers())!, /^AK\/\d{8}\/eu-west-1\/aps\/aws4_request$/);
  const fromEnv = await open({}, env).headers();
  assert.match(keyOf(fromEnv)!, /^EK\/\d{8}\/env-1\//);
  assert.equal(fromEnv['X-Amz-Security-Token'], 'ET');
});

/** EC2 metadata, container credentials and STS in one; keys end after a minute and are numbered. */
async function fakeAws(t: TestContext, clock: FakeClock) {
  const calls: string[] = [];
  const url = await serve(t, (request, reply) => {
    calls.push(`${request.method} ${request.url!.split('?')[0]}`);
    const n = calls.length;
    const end = new Date(clock.nowMs() + 60_000).toISOString();
    const query = new URL(request.url!, 'http://x').searchParams;
    const json = JSON.stringify({ AccessKeyId: `K${n}`, SecretAccessKey: 'S', Token: 'T', Expiration: end });
    if (request.url === '/latest/api/token' && request.method === 'PUT') return reply.end('imds-token');
    if (request.url!.startsWith('/latest/meta-data/')) {
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return reply.writeHead(401).end();
      if (request.url!.endsWith('/placement/region')) return reply.end('meta-1');
      return reply.end(request.url!.endsWith('/') ? 'my-role' : json);
    }
    if (request.url === '/container' && request.headers.authorization === 'ct') return reply.end(json);
    const token = query.get('WebIdentityToken');
    const signed = request.headers.authorization?.includes('/sts/aws4_request');
    if (
      query.get('RoleArn') === 'arn:r' &&
      query.get('Version') === '2011-06-15' &&
      (token === 'wt' || signed)
    ) {
      return reply.end(
        `<R><Credentials><AccessKeyId>R${n}</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>RT</SessionToken><Expiration>${end}</Expiration></Credentials></R>`,
      );
    }
    return reply.writeHead(403).end('canary');
  });
  return { url, calls };
}

test('EC2 metadata gives region and keys, which are renewed 10 s before their end', async (t) => {
  const clock = new FakeClock();
  const { url, calls } = await fakeAws(t, clock);
  const auth = open({ 'remoteWrite.aws.ec2Endpoint': `${url}/` }, {}, clock);
  const first = await auth.headers();
  assert.match(keyOf(first)!, /^K6\/\d{8}\/meta-1\//);
  assert.equal(first['X-Amz-Security-Token'], 'T');
  clock.advance(49_000);
  assert.match(keyOf(await auth.headers())!, /^K6\//);
  const before = calls.length;
  clock.advance(1500);
  const [a, b] = await Promise.all([auth.headers(), auth.headers()]);
  assert.doesNotMatch(keyOf(a)!, /^K6\//);
  assert.equal(keyOf(a), keyOf(b));
  assert.equal(calls.length - before, 4);
});

test('container, web identity and role keys', async (t) => {
  const clock = new FakeClock();
  const { url } = await fakeAws(t, clock);
  const container = {
    AWS_REGION: 'r',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'ct',
  };
  assert.match(keyOf(await open({}, container, clock).headers())!, /^K1\//);
  const role = { 'remoteWrite.aws.roleARN': 'arn:r', 'remoteWrite.aws.stsEndpoint': url };
  assert.match(keyOf(await open(role, container, clock).headers())!, /^R3\//);
  const directory = await mkdtemp(path.join(tmpdir(), 'aws-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'token');
  await writeFile(file, 'wt\n');
  const identity = { AWS_REGION: 'r', AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: 'arn:r' };
  const { 'remoteWrite.aws.stsEndpoint': sts } = role;
  const headers = await open({ 'remoteWrite.aws.stsEndpoint': sts }, identity, clock).headers();
  assert.match(keyOf(headers)!, /^R4\//);
  assert.equal(headers['X-Amz-Security-Token'], 'RT');
});

test('a refusal names the service, not what it said or was asked', async (t) => {
  const { url } = await fakeAws(t, new FakeClock());
  const env = { AWS_REGION: 'r', AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container?canary` };
  await assert.rejects(open({}, env).headers(), (error: Error) => {
    assert.match(error.message, /cannot get AWS credentials: the container endpoint answered 403/);
    assert.doesNotMatch(error.message, /canary/);
    return true;
  });
});
