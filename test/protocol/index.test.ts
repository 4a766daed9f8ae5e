/** What holds for every protocol, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protocolOf, protocolOptions, protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { randomFrom } from '../support/random.ts';
import { corpusOf } from './corpus.ts';
import { defaultsOf, fuzz, mutated, parse, receive } from './support.ts';

const HEAD_RUNS = 2_000;

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

for (const protocol of all.filter(({ routes }) => routes.length > 0)) {
  test(`${protocol.name}: mutated heads are received or refused`, () => {
    const { heads } = corpusOf(protocol);
    const random = randomFrom(1);
    const changed = (text: string) => Buffer.from(mutated([Buffer.from(text)], random)).toString();
    for (let run = 0; run < HEAD_RUNS; run++) {
      const { path = '', query = '', headers = {} } = heads[run % heads.length]!;
      const reception = receive(protocol, {
        // Behind the path, where a route may take more.
        path: protocol.routes.some((route) => route.prefix)
          ? path + changed('/metrics/job/a@base64/YQ')
          : path,
        query: changed(query),
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, changed(value)])),
      });
      assert.ok(['body', 'answer', 'refusal'].includes(reception.kind));
    }
  });
}

test('a parser that throws, counts wrongly, or is not the same twice is found, and its input can be repeated', () => {
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
  const miscounting = broken((_bytes, _request, sink) => {
    sink.samples++;
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
  assert.equal(seedOf(miscounting), 1);
});
