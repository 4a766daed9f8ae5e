import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  actionFor,
  parsePolicy,
  presets,
  type Rule,
} from '../../src/deliver/response-policy.ts';

function policy(text: string): readonly Rule[] {
  const parsed = parsePolicy(text);
  assert.ok(!('error' in parsed), JSON.stringify(parsed));
  return parsed;
}

const table: Readonly<Record<string, Readonly<Record<number, Action>>>> = {
  default: {
    301: 'retry',
    400: 'drop',
    401: 'retry',
    404: 'retry',
    409: 'drop',
    413: 'retry',
    415: 'drop',
    422: 'retry',
    429: 'retry',
    500: 'retry',
  },
  victoriametrics: {
    400: 'bisect',
    401: 'hold',
    403: 'hold',
    404: 'hold',
    409: 'park',
    413: 'split',
    415: 'park',
    422: 'bisect',
    429: 'retry',
    503: 'retry',
  },
  prometheus: { 400: 'bisect', 401: 'hold', 404: 'hold', 413: 'split', 429: 'retry', 500: 'retry' },
  mimir: { 400: 'partial', 403: 'hold', 413: 'split', 422: 'park', 429: 'retry', 500: 'retry' },
  thanos: { 400: 'bisect', 404: 'hold', 409: 'partial', 413: 'split', 429: 'retry', 503: 'retry' },
};

for (const [name, expected] of Object.entries(table)) {
  test(`the preset ${name}`, () => {
    for (const [status, action] of Object.entries(expected)) {
      assert.equal(actionFor(policy(name), Number(status), 'words'), action, status);
    }
  });
}

test('Mimir keeps nothing of a request that is too large, whatever its status', () => {
  const text = 'message size of 9 bytes is too large (err-mimir-distributor-max-write-message-size)';
  assert.equal(actionFor(policy('mimir'), 400, text), 'split');
  assert.equal(actionFor(policy('mimir'), 400, 'err-mimir-sample-out-of-order'), 'partial');
});

test('every preset is in the table', () => assert.deepEqual(Object.keys(presets), Object.keys(table)));

test('no policy is the default one', () => assert.deepEqual(policy(''), presets.default));

test('rules go before the preset, the first that fits counts', () => {
  const rules = policy('404=drop; 500-502=park;400:out of * order=partial;4xx=hold;victoriametrics');
  assert.equal(actionFor(rules, 404, ''), 'drop');
  assert.equal(actionFor(rules, 502, ''), 'park');
  assert.equal(actionFor(rules, 503, ''), 'retry');
  assert.equal(actionFor(rules, 400, 'sample out of the order, twice'), 'partial');
  assert.equal(actionFor(rules, 400, 'bad name'), 'hold');
});

test('a text may hold an equals sign', () => {
  assert.equal(actionFor(policy('400:a=b=drop'), 400, 'xa=by'), 'drop');
});

for (const [text, message] of [
  ['404=dropp', /no action "dropp".*did you mean drop\?/],
  ['mimirr', /no preset "mimirr".*did you mean mimir\?/],
  ['200=drop', /"200" is no status/],
  ['6xx=drop', /"6xx" is no status/],
  ['504-500=drop', /no status/],
  ['constructor', /no preset/],
  ['404', /no preset "404"/],
] as const) {
  test(`${text} is refused`, () => {
    const parsed = parsePolicy(text);
    assert.match('error' in parsed ? parsed.error : '', message);
  });
}

test('no text makes the parser throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9x:;=*a-z-]{0,30}$/)), (text) => {
      parsePolicy(text);
    }),
  );
});
