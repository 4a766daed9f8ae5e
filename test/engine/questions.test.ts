import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineReport, ToEngine } from '../../src/engine/messages.ts';
import { Questions } from '../../src/engine/questions.ts';

function setUp() {
  const posted: ToEngine[] = [];
  const questions = new Questions((message) => posted.push(message));
  const settled: string[] = [];
  const ask = (kind: 'flush' | 'save', name: string) => questions.ask(kind).then(() => settled.push(name));
  return { posted, questions, settled, ask };
}

test('what a dead engine did not get to is asked again, under the same number', async () => {
  const { posted, questions, settled, ask } = setUp();
  const first = ask('flush', 'a');
  const second = ask('save', 'b');
  questions.answered([1, 99]);
  await first;
  assert.deepEqual(settled, ['a']);
  posted.splice(0);
  questions.repeat();
  assert.deepEqual(posted, [{ kind: 'save', ticket: 2 }]);
  questions.answered([2]);
  await second;
});

test('nobody waits for an engine that is given up', async () => {
  const { posted, questions, settled, ask } = setUp();
  const all = [ask('flush', 'a'), ask('flush', 'b')];
  questions.giveUp();
  await Promise.all(all);
  assert.deepEqual(settled, ['a', 'b']);
  posted.splice(0);
  questions.repeat();
  assert.deepEqual(posted, []);
});

test('a report goes to all who asked before it', async () => {
  const { posted, questions } = setUp();
  const report = { kind: 'report', lately: ['a'] } as unknown as EngineReport;
  const early = [questions.report(), questions.report()];
  assert.deepEqual(posted, [{ kind: 'report' }, { kind: 'report' }]);
  questions.reported(report);
  assert.deepEqual(await Promise.all(early), [report, report]);
  const late = questions.report();
  questions.reported(undefined);
  assert.equal(await late, undefined);
});
