import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Abortable, Abortables } from '../../src/deliver/abortable.ts';

const endless = new Promise<never>(() => {});
const late = new Error('too late');

test('a work gives what it gives, or its own error', async () => {
  assert.equal(await new Abortable().run(Promise.resolve(7)), 7);
  await assert.rejects(new Abortable().run(Promise.reject(new Error('own'))), /own/);
});

test('an abort ends a work that waits, and breaks off what it has begun, once', async () => {
  const work = new Abortable();
  const reasons: Error[] = [];
  const result = work.run(endless);
  work.begin({ abort: (reason) => reasons.push(reason) });
  work.throwIfAborted();
  work.abort(late);
  work.abort(new Error('again'));
  await assert.rejects(result, late);
  assert.deepEqual(reasons, [late]);
  assert.equal(work.isAborted, true);
  assert.throws(() => work.throwIfAborted(), late);
});

test('a work that was aborted before it ran rejects at once', async () => {
  const work = new Abortable();
  work.abort(late);
  await assert.rejects(work.run(endless), late);
});

test('works end with their signal, and those that are done do not', () => {
  const abortables = new Abortables();
  const [first, second] = [new AbortController(), new AbortController()];
  const works = [new Abortable(), new Abortable(), new Abortable()];
  abortables.under(first.signal).add(works[0]!);
  abortables.under(first.signal).add(works[1]!);
  abortables.under(second.signal).add(works[2]!);
  abortables.under(first.signal).delete(works[0]!);
  first.abort(late);
  assert.deepEqual(
    works.map(({ isAborted }) => isAborted),
    [false, true, false],
  );
  assert.throws(() => works[1]!.throwIfAborted(), late);
});
