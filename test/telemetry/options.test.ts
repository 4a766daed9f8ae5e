import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../src/config/collect.ts';
import { loadConfig } from '../../src/config/load.ts';
import { telemetryOptions } from '../../src/telemetry/options.ts';

const schema = collect([{ title: 'Telemetry', options: telemetryOptions }]);

test('the defaults are those of vmagent', async () => {
  const { config } = await loadConfig({ schema, args: [], env: {} });
  assert.equal(config.values.loggerLevel, 'INFO');
  assert.equal(config.values.loggerMaxArgLen, 5_000);
  assert.equal(config.values['memory.allowedPercent'], 60);
  assert.equal(config.values['metrics.exposeMetadata'], false);
});

test('unknown levels and shares that cannot be are refused', async () => {
  for (const arg of ['-loggerLevel=LOUD', '-memory.allowedPercent=0', '-memory.allowedPercent=101']) {
    const { problems } = await loadConfig({ schema, args: [arg], env: {} });
    const own = problems.filter(({ where }) => where.includes(arg.split('=')[0]!));
    assert.equal(own.length, 1, arg);
  }
});
