import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, loadValid, ONE_URL } from './support.ts';

const TWO_URLS = '-remoteWrite.url=http://one,http://two';
const problemsOf = async (...args: string[]) => (await load({ args })).problems.join('\n');

test('without a destination it says how to get one', async () => {
  const problems = await problemsOf();
  assert.match(
    problems,
    /^flag -remoteWrite\.url: there is no destination; .*quickstart\.yaml.*-remoteWrite\.url=http/,
  );
  assert.match(await problemsOf('-remoteWrite.url='), /destination 1: this destination has no URL/);
});

test('destinations come from flags or from the file', async () => {
  const { problems } = await load({ yaml: 'destinations: [{url: "http://a"}]\n', args: [ONE_URL] });
  assert.deepEqual(problems, [
    'flag -remoteWrite.url: there are destinations both here and in the file; keep them in the file, or take destinations: out of it',
  ]);
});

test('names are unique, also where case does not count, and fit for directories', async () => {
  const { destinations } = await loadValid({ args: [TWO_URLS, '-remoteWrite.name=a,b'] });
  assert.deepEqual(
    destinations.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.match(
    await problemsOf(TWO_URLS, '-remoteWrite.name=a,A'),
    /destinations 1 and 2 are both called A; give/,
  );
  assert.match(await problemsOf(TWO_URLS, '-remoteWrite.name=x'), /are both called x/);
  assert.match(await problemsOf('-remoteWrite.url=http://a/?k=1,http://a/?k=2'), /are both called a; /);
  assert.match(
    await problemsOf(ONE_URL, '-remoteWrite.name=../x'),
    /the name "\.\.\/x" cannot be used; use letters/,
  );
});

test('more items than destinations are an error, fewer a warning', async () => {
  assert.match(
    await problemsOf(ONE_URL, '-remoteWrite.auth.password=canary,canary'),
    /^flag -remoteWrite\.auth\.password: it has 2 items, but there is 1 destination; [^\n]*$/,
  );
  const { warnings } = await loadValid({
    args: [TWO_URLS, '-remoteWrite.url=http://three', '-remoteWrite.queues=1,2'],
  });
  assert.match(
    warnings.join('\n'),
    /^flag -remoteWrite\.queues: it has 2 items for 3 destinations; the others have/,
  );
});

test('one secret for several destinations is told', async () => {
  const { warnings } = await loadValid({ args: [TWO_URLS, '-remoteWrite.auth.password=canary'] });
  assert.deepEqual(warnings, [
    'flag -remoteWrite.auth.password: this one secret is sent to all 2 destinations; if this is not meant, give one item for each destination',
  ]);
  assert.deepEqual((await loadValid({ args: [TWO_URLS, '-remoteWrite.auth.password=a,b'] })).warnings, []);
});
