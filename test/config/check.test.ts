import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, loadValid, ONE_URL } from './support.ts';

const problemsOf = async (...args: string[]) =>
  (await load({ args: [ONE_URL, ...args] })).problems.join('\n');

test('an unknown name suggests the nearest one, and its value is not shown', async () => {
  assert.equal(await problemsOf('-levle=canary'), 'flag -levle: there is no such flag; did you mean -level?');
  assert.match(await problemsOf('-timeout=1s'), /did you mean -remoteWrite\.timeout\?/);
  assert.match(await problemsOf('-completelyDifferent'), /there is no such flag; see sluice -help$/);
  assert.match(
    await problemsOf('-promscrape.noStaleMarker'),
    /did you mean -promscrape.noStaleMarkers\? \(vmagent has it, this version of Sluice/,
  );
});

test('the value of an unknown flag is not taken for another mistake', async () => {
  assert.equal((await problemsOf('-levle', 'canary', '-metadata')).split('\n').length, 1);
});

test('flags of vmagent that would change the data are refused, unless they are switched off', async () => {
  assert.match(await problemsOf('-promscrape.config', 'x.yaml'), /^flag -promscrape\.config: it is known/);
  assert.match(
    await problemsOf('-promscrape.noStaleMarkers'),
    /known to vmagent, but not supported by this version .*differences\.md/,
  );
  assert.equal(await problemsOf('-promscrape.noStaleMarkers=false'), '');
});

test('flags of vmagent without effect are accepted with a warning', async () => {
  const { warnings } = await loadValid({
    args: [ONE_URL, '-fs.disableMmap', '-loggerTimezone', 'UTC', '-level=WARN'],
  });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0]!, /^flag -fs\.disableMmap: it has no effect in Sluice: /);
});

test('rules of components are asked with the values, and know where they were given', async () => {
  const { problems } = await load({
    args: [ONE_URL, '-workers=3'],
    checks: [
      (config) =>
        config.values.workers % 2 === 1
          ? [{ where: config.where('workers'), message: 'it is odd', hint: 'give an even number' }]
          : [],
      (config) => config.destinations.map(({ where }) => ({ where, message: 'no', hint: 'yes' })),
    ],
  });
  assert.deepEqual(problems, [
    'flag -workers: it is odd; give an even number',
    'flag -remoteWrite.url, destination 1 (http:): no; yes',
  ]);
});
