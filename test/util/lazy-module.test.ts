import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { lazyModule } from '../../src/util/lazy-module.ts';

const require = createRequire(import.meta.url);

test('a module is loaded by the first call, and once', () => {
  const file = require.resolve('quick-format-unescaped');
  const format = lazyModule<unknown>('quick-format-unescaped');
  assert.ok(!(file in require.cache));
  const loaded = format();
  assert.equal(typeof loaded, 'function');
  assert.equal(require.cache[file]?.exports, loaded);
  assert.equal(format(), loaded);
});

test('a module that is not there is an error at every call', () => {
  const missing = lazyModule('no-such-package');
  for (let call = 0; call < 2; call++) assert.throws(missing, { code: 'MODULE_NOT_FOUND' });
});
