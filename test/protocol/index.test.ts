/** What holds for every protocol, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protocolOf, protocolOptions, protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { corpusOf } from './corpus.ts';
import { defaultsOf, fuzz, parse, receive } from './support.ts';

const all = Object.values<Protocol>(protocols);

test('the registry names every protocol by its own name', () => {
  for (const [name, protocol] of Object.entries(protocols)) {
    assert.equal(protocol.name, name);
    assert.equal(protocolOf(name), protocol);
  }
  assert.equal(protocolOf('nothing'), undefined);
});

test('no two protocols share a path', () => {
  const paths = all.flatMap(({ routes }) => routes.map(({ path }) => path));
  assert.equal(new Set(paths).size, paths.length);
});

test('a limit of its own is an option in bytes', () => {
  const options = Object.assign({}, ...all.map((protocol) => protocol.options));
  for (const { sizeOption } of all) {
    if (sizeOption !== undefined) assert.equal(options[sizeOption]?.kind, 'bytes', sizeOption);
  }
});

test('the options of all protocols are picked from all values, and nothing else is', () => {
  const expected = Object.assign({}, ...all.map(({ options }) => defaultsOf(options)));
  assert.deepEqual(protocolOptions({ ...expected, 'remoteWrite.url': ['secret'] }), expected);
});

test('a head without anything is received', () => {
  for (const protocol of all) {
    for (const route of protocol.routes) receive(protocol, { path: route.path });
  }
});

for (const protocol of all.filter((one) => one.parse !== undefined)) {
  test(`${protocol.name}: an empty body has nothing, and mutated ones neither throw nor write nonsense`, () => {
    const { bodies, given } = corpusOf(protocol);
    for (const one of given) assert.deepEqual(parse(protocol, '', one).rows, []);
    fuzz(protocol, bodies, given);
  });
}

test('a parser that throws, or is not the same twice, is found, and its input can be repeated', () => {
  let calls = 0;
  const broken = (parse: NonNullable<Protocol['parse']>): Protocol => ({ ...protocols.graphite, parse });
  const throwing = broken((bytes) => {
    if (bytes.includes(0)) throw new Error('a zero');
    return undefined;
  });
  const changing = broken((_bytes, _request, sink) => {
    sink.begin();
    sink.sample(calls++, 0);
    sink.end();
    return undefined;
  });
  const seedOf = (protocol: Protocol, seed?: number): number => {
    let found = 0;
    assert.throws(
      () => fuzz(protocol, ['a 1'], [{}], seed === undefined ? {} : { seed, runs: 1 }),
      (error: Error) => {
        found = Number(/--seed (\d+)$/.exec(error.message)?.[1]);
        return true;
      },
    );
    return found;
  };
  const seed = seedOf(throwing);
  assert.ok(seed > 1, 'not every input is bad');
  assert.equal(seedOf(throwing, seed), seed);
  assert.equal(seedOf(changing), 1);
});
