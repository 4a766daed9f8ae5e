import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { oauth2 } from '../../../src/deliver/auth/oauth2.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { Secret } from '../../../src/util/secret.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { bodyOf, serve, valuesWith } from '../support.ts';

interface Options {
  readonly style?: 'header' | 'form';
  readonly answer?: (n: number) => { status?: number; type?: string; text: string };
}

/** A token server that insists on one way to log in. */
async function tokenServer(t: TestContext, options: Options = {}) {
  const calls: { authorization: string | undefined; form: Record<string, string> }[] = [];
  const url = await serve(t, async (request, reply) => {
    const form = Object.fromEntries(new URLSearchParams(String(await bodyOf(request))));
    const { authorization } = request.headers;
    calls.push({ authorization, form });
    const style = options.style ?? 'header';
    const known = style === 'header' ? authorization !== undefined : form.client_secret === 'canary secret';
    if (!known) return reply.writeHead(401).end(`bad client ${JSON.stringify(form)}`);
    const {
      status = 200,
      type = 'application/json',
      text,
    } = options.answer?.(calls.length) ?? {
      text: JSON.stringify({ access_token: `tok${calls.length}`, token_type: 'bearer', expires_in: 60 }),
    };
    return reply.writeHead(status, { 'content-type': type }).end(text);
  });
  const clock = new FakeClock();
  const open = (over = {}) => {
    const values = valuesWith({
      'remoteWrite.oauth2.clientID': 'me',
      'remoteWrite.oauth2.clientSecret': new Secret('canary secret'),
      'remoteWrite.oauth2.tokenUrl': `${url}/token`,
      ...over,
    });
    assert.deepEqual(oauth2.check(values), []);
    const auth = oauth2.open(values, { clock, env: {}, redactor: new Redactor() });
    const request = { method: 'POST', url: new URL('http://x'), host: 'x', body: new Uint8Array() } as const;
    return async () => (await auth.headers(request))[0]![1];
  };
  return { calls, clock, open };
}

test('one request serves all senders, and the token is kept until 10 s before its end', async (t) => {
  const { calls, clock, open } = await tokenServer(t);
  const token = open({
    'remoteWrite.oauth2.scopes': 'a;b',
    'remoteWrite.oauth2.endpointParams': new Secret('{"audience":"x"}'),
  });
  assert.deepEqual(await Promise.all([token(), token(), token()]), Array(3).fill('Bearer tok1'));
  assert.deepEqual(calls[0]!.form, { grant_type: 'client_credentials', scope: 'a b', audience: 'x' });
  assert.equal(calls[0]!.authorization, `Basic ${Buffer.from('me:canary%20secret').toString('base64')}`);
  clock.advance(49_000);
  assert.equal(await token(), 'Bearer tok1');
  clock.advance(1000);
  assert.equal(await token(), 'Bearer tok2');
});

test('a server that wants the secret in the form gets it there, found out once', async (t) => {
  const { calls, clock, open } = await tokenServer(t, { style: 'form' });
  const token = open();
  assert.equal(await token(), 'Bearer tok2');
  assert.equal(calls[1]!.form.scope, '');
  clock.advance(55_000);
  assert.equal(await token(), 'Bearer tok3');
  assert.equal(calls.length, 3);
});

test('a form-encoded answer and a token without end are taken', async (t) => {
  const { calls, clock, open } = await tokenServer(t, {
    answer: () => ({ type: 'application/x-www-form-urlencoded', text: 'access_token=abc&token_type=MAC' }),
  });
  const token = open();
  assert.equal(await token(), 'MAC abc');
  clock.advance(1e9);
  await token();
  assert.equal(calls.length, 1);
});

test('failures reject without the secret and are tried anew', async (t) => {
  const answers = [
    { status: 500, text: 'canary' },
    { status: 500, text: 'canary' },
    { text: 'no json canary' },
    { text: '{"access_token":"a b"}' },
    { text: '{"access_token":"good"}' },
  ];
  const { open } = await tokenServer(t, { answer: (n) => answers[n - 1]! });
  const token = open();
  for (let i = 0; i < 3; i++) {
    await assert.rejects(token(), (error: Error) => {
      assert.match(error.message, /^cannot get an OAuth2 token: /);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  }
  assert.equal(await token(), 'Bearer good');
});

test('what is missing is named', () => {
  const values = valuesWith({
    'remoteWrite.oauth2.clientSecret': new Secret('s'),
    'remoteWrite.oauth2.clientSecretFile': 'f',
    'remoteWrite.oauth2.endpointParams': new Secret('[1]'),
  });
  const messages = oauth2.check(values).map(({ message }) => message);
  assert.deepEqual(messages, [
    'both -remoteWrite.oauth2.clientSecret and -remoteWrite.oauth2.clientSecretFile are set',
    'OAuth2 has no client ID',
    'OAuth2 has no usable token URL',
    '-remoteWrite.oauth2.endpointParams is no JSON object of strings',
  ]);
  assert.equal(oauth2.check(valuesWith({ 'remoteWrite.oauth2.clientID': 'x' })).length, 2);
});
