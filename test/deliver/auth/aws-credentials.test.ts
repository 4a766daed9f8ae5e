import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsCredentials } from '../../../src/deliver/auth/aws-credentials.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { serve } from '../support.ts';

const empty = { ec2Endpoint: '', stsEndpoint: '', region: '', roleARN: '', accessKey: '', secretKey: '' };

test('the default region of the environment is the last before the metadata endpoint', async () => {
  const env = { AWS_DEFAULT_REGION: 'd', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' };
  const credentials = new AwsCredentials(empty, { clock: new FakeClock(), env, redactor: new Redactor() });
  assert.equal((await credentials.get()).region, 'd');
});

test('answers without keys reject, and the next call asks again', async (t) => {
  const answers = ['no json', '{"AccessKeyId":"x"}', '{"AccessKeyId":"x","SecretAccessKey":"y"}'];
  const url = await serve(t, (_request, reply) => void reply.end(answers.shift()));
  const env = { AWS_REGION: 'r', AWS_CONTAINER_CREDENTIALS_FULL_URI: url };
  const credentials = new AwsCredentials(empty, { clock: new FakeClock(), env, redactor: new Redactor() });
  await assert.rejects(credentials.get(), /the answer is no JSON/);
  await assert.rejects(credentials.get(), /the answer holds no keys/);
  const { keys } = await credentials.get();
  assert.deepEqual(keys, { accessKey: 'x', secretKey: 'y', sessionToken: undefined });
});

test('keys end when they end, whatever the wall clock says meanwhile', async (t) => {
  const clock = new FakeClock();
  let answers = 0;
  const url = await serve(t, (_request, reply) => {
    const Expiration = new Date(trueMs() + 600_000).toISOString();
    reply.end(JSON.stringify({ AccessKeyId: `key ${++answers}`, SecretAccessKey: 'y', Expiration }));
  });
  const start = clock.nowMs();
  const trueMs = () => start + clock.monotonicMs();
  const env = { AWS_REGION: 'r', AWS_CONTAINER_CREDENTIALS_FULL_URI: url };
  const credentials = new AwsCredentials(empty, { clock, env, redactor: new Redactor() });
  const keyAt = async (wall: number) => {
    clock.setWall(wall);
    return (await credentials.get()).keys.accessKey;
  };
  assert.equal(await keyAt(trueMs()), 'key 1');
  for (const jump of [3_600_000, -3_600_000, 86_400_000, -86_400_000]) {
    assert.equal(await keyAt(trueMs() + jump), 'key 1');
  }
  clock.advance(595_000);
  assert.equal(await keyAt(trueMs() - 3_600_000), 'key 2', 'not kept for an hour after their end');
});

test('keys that were asked for before the clock was set are asked for again within the hour', async (t) => {
  const clock = new FakeClock(0);
  let answers = 0;
  const url = await serve(t, (_request, reply) => {
    const Expiration = '2026-10-01T00:00:00Z';
    reply.end(JSON.stringify({ AccessKeyId: `key ${++answers}`, SecretAccessKey: 'y', Expiration }));
  });
  const env = { AWS_REGION: 'r', AWS_CONTAINER_CREDENTIALS_FULL_URI: url };
  const credentials = new AwsCredentials(empty, { clock, env, redactor: new Redactor() });
  await credentials.get();
  clock.advance(3_600_000);
  assert.equal((await credentials.get()).keys.accessKey, 'key 2');
});
