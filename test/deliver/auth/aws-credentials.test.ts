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
