import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../src/config/problem.ts';

test('a problem is one line', () => {
  const problem = { where: 'c.yaml:1:2', message: 'it is wrong', hint: 'make it right' };
  assert.equal(formatProblem(problem), 'c.yaml:1:2: it is wrong; make it right');
});
