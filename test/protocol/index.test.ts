/** What holds for every protocol, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protocolOf, protocolOptions, protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
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
  test(`${protocol.name}: an empty body has nothing, and bytes without sense do no harm`, () => {
    assert.deepEqual(parse(protocol, '').rows, []);
    const noise = Uint8Array.from({ length: 4_096 }, (_, index) => (index * 31 + (index >> 3)) & 0xff);
    fuzz(protocol, [noise, '{}[]"",,,===:::   \n\n\\\\', '1 2 3 4 5 6 7 8 9 -1 .5 1e5 NaN'], [{}], 2_000);
  });
}
