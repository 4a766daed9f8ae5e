import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Destination } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { schema } from '../../src/options.ts';

const CANARY = 'canary';

/** Everything that a program could print of a value. */
function printed(value: unknown): string {
  return `${inspect(value, { depth: 20, showHidden: true, getters: false, maxStringLength: null })}
${JSON.stringify(value)} ${JSON.stringify([...((value as { set?: Map<string, string> }).set ?? [])])}`;
}

test('no secret shows in the whole configuration, whatever the option', async () => {
  const secrets = schema.options.filter(
    ({ name, spec }) => spec.kind === 'secret' && name !== 'remoteWrite.url',
  );
  assert.ok(secrets.length >= 8);
  const args = [
    `-remoteWrite.url=https://user:${CANARY}@host/${CANARY}?key=${CANARY}`,
    `-remoteWrite.url=http://${CANARY}@other:1/api/v1/write`,
    ...secrets.map(({ name }) => `-${name}=${CANARY}`),
  ];
  const { config, problems } = await loadConfig({ schema, args, env: {} });
  assert.deepEqual(problems, []);
  assert.doesNotMatch(printed(config), /canary/);
  assert.equal(config.destinations[0]?.url.includes(CANARY), true);
  assert.equal(config.destinations[1]?.values['remoteWrite.bearerToken']?.reveal(), CANARY);
});

test('the harness sees a secret that is not hidden', () => {
  const identity = { name: 'n', url: CANARY, shownUrl: CANARY, where: '' };
  assert.match(printed(new Destination(identity, {})), /canary/);
  assert.doesNotMatch(printed(new Destination({ ...identity, shownUrl: '' }, {})), /canary/);
});

test('no problem shows a secret', async () => {
  const args = [
    `-remoteWrite.url=${CANARY}:${CANARY}@host`,
    `-remoteWrite.url=${CANARY}:${CANARY}@host`,
    `-remoteWrite.bearerTokn=${CANARY}`,
    `-remoteWrite.bearerToken=%{NOPE}${CANARY}`,
    `-remoteWrite.bearerToken=${CANARY},${CANARY},${CANARY}`,
    '-remoteWrite.url',
    'http://a',
    CANARY,
  ];
  const { problems, config } = await loadConfig({ schema, args, env: {} });
  assert.ok(problems.length >= 5, inspect(problems));
  assert.doesNotMatch(printed({ problems, config }), /canary/);
});

test('components get their values with their types', async () => {
  const { config } = await loadConfig({ schema, args: ['-remoteWrite.url=http://a'], env: {} });
  const flushIntervalMs: number = config.values['remoteWrite.flushInterval'];
  const listen: readonly string[] = config.values.httpListenAddr;
  const timeoutMs: number | undefined = config.destinations[0]?.values['remoteWrite.sendTimeout'];
  const timeouts: readonly number[] = config.values['remoteWrite.sendTimeout'];
  assert.deepEqual([flushIntervalMs, listen, timeoutMs, timeouts], [1000, [':8429'], 60_000, [60_000]]);
});
