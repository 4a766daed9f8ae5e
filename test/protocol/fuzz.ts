/**
 * `npm run test:fuzz`: every parser, many times, with the bodies of the end-to-end tests for seeds.
 * FUZZ_RUNS=n for another number of runs in all, SEED=n for others.
 */
import { test } from 'node:test';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { lineBodies, pushBodies } from '../support/push-bodies.ts';
import { FUZZ_RUNS, fuzz, type Given } from './support.ts';

/** What heads say to parsers; each ignores what it does not know. */
const heads: readonly Given[] = [
  {},
  { parameters: { mode: 'stream', db: 'd', precision: 'ns', format: 'protobuf', timestamp: '5' } },
  { parameters: { mode: 'stream', format: '1:label:a,2:metric:b,3:metric:c,4:time:unix_s' } },
];

const parsed = Object.values<Protocol>(protocols).filter((protocol) => protocol.parse !== undefined);
for (const protocol of parsed) {
  test(`${protocol.name}: neither throws nor writes nonsense`, () => {
    const seeds = [...pushBodies, ...lineBodies].filter((body) => body.protocol === protocol.name);
    const bodies = seeds.map(({ body }) => body).filter((body) => body.length > 0);
    fuzz(protocol, bodies, heads, Math.ceil(FUZZ_RUNS / parsed.length));
  });
}
