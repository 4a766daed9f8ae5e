/** As in `npm test`, with fifty restarts. RESTARTS=n for another number, SEED=n repeats a run. */
import { test } from 'node:test';
import { assertRestartsChangeNothing } from '../support/aggregation-restarts.ts';

test('stops and kills at random points of windows change nothing of what is told', (t) =>
  assertRestartsChangeNothing(t, Number(process.env.RESTARTS ?? 50)));
