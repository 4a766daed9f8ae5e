/** What is generated from the option tables is current, and says the same as the program. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { generatedDocs } from '../../scripts/docs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { schema } from '../../src/options.ts';

const root = join(import.meta.dirname, '../..');
const generated = generatedDocs();

for (const [path, content] of generated) {
  test(`${path} is current (npm run docs)`, () => {
    assert.equal(readFileSync(join(root, path), 'utf8'), content);
  });
}

test('every option has a plain summary', () => {
  for (const { name, spec } of schema.options) assert.match(spec.summary, /^[A-Z`].*[.!]$/s, name);
});

const configFiles = readdirSync(join(root, 'config')).filter((name) =>
  /^(quickstart|example)\.yaml$/.test(name),
);

test('the configuration files of the project are valid', async () => {
  assert.equal(configFiles.length, 2);
  for (const name of configFiles) {
    const { problems, config } = await loadConfig({
      schema,
      args: [`-config=${join(root, 'config', name)}`],
      env: {},
    });
    assert.deepEqual([problems, config.warnings], [[], []], name);
  }
});

test('the schema for editors takes what the program takes', () => {
  const jsonSchema = JSON.parse(generated.get('docs/config.schema.json')!) as Json;
  for (const name of configFiles) {
    const text = readFileSync(join(root, 'config', name), 'utf8');
    assert.deepEqual(violations(jsonSchema, parse(text, { merge: true })), [], name);
  }
  const bad: [unknown, RegExp][] = [
    [{ levle: 1 }, /levle/],
    [{ remoteWrite: { url: 'http://a' } }, /remoteWrite\/url/],
    [{ destinations: [{ name: 'a' }] }, /destinations\/0/],
    [{ destinations: [{ url: 'http://a', sendTimeout: 'soon' }] }, /sendTimeout/],
    [{ maxConcurrentInserts: 0 }, /maxConcurrentInserts/],
    [{ 'remoteWrite.maxBlockSize': '5M' }, /maxBlockSize/],
    [{ enableMetadata: 'yes' }, /enableMetadata/],
  ];
  for (const [value, expected] of bad) assert.match(violations(jsonSchema, value).join('\n'), expected);
});

type Json = Readonly<Record<string, unknown>>;

/** The paths that break a schema; knows just the keywords that ours uses. */
function violations(rule: Json, value: unknown, path = ''): string[] {
  if (rule.anyOf !== undefined) {
    return (rule.anyOf as Json[]).some((one) => violations(one, value, path).length === 0) ? [] : [path];
  }
  const types = rule.type === undefined ? [] : [rule.type].flat();
  const isOk =
    (types.length === 0 || types.some((type) => isOfType(type, value))) &&
    (rule.enum === undefined || (rule.enum as unknown[]).includes(value)) &&
    (rule.pattern === undefined ||
      typeof value !== 'string' ||
      new RegExp(rule.pattern as string).test(value)) &&
    !(
      typeof value === 'number' &&
      (value < Number(rule.minimum ?? -1e300) || value > Number(rule.maximum ?? 1e300))
    ) &&
    ((rule.required as string[] | undefined) ?? []).every((key) => key in (value as object));
  if (!isOk) return [path];
  if (Array.isArray(value))
    return value.flatMap((item, at) => violations((rule.items as Json) ?? {}, item, `${path}/${at}`));
  if (typeof value !== 'object' || value === null || rule.properties === undefined) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const property = (rule.properties as Record<string, Json>)[key];
    if (property !== undefined) return violations(property, item, `${path}/${key}`);
    const patterns = Object.keys((rule.patternProperties as Json | undefined) ?? {});
    return patterns.some((pattern) => new RegExp(pattern).test(key)) ? [] : [`${path}/${key}`];
  });
}

function isOfType(type: unknown, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
