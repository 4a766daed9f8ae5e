/**
 * The house rules that a machine can hold: who may import whom, what may be called where, no dead files, and long
 * functions do not grow. A rule that is broken on purpose gets a line in the lists below, with the reason.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['ingest', 'series', 'transform', 'route', 'encode', 'queue', 'deliver'];
/** Leaves in their order: each may import those before it. A list in one place counts as one step. */
const leaves = [
  ['util'],
  ['model'],
  ['kernel'],
  ['config', 'telemetry', 'ledger'],
  ['protocol', 'destination'],
];
const shells = ['engine', 'service', 'cli', '(main)'];

function sourcesOf(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('kernel/assembly/'))
    .map((name) => path.join(folder, name));
}

function folderOf(file: string): string {
  const parts = path.relative('src', file).split(path.sep);
  return parts.length === 1 ? '(main)' : parts[0]!;
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'|new URL\('(\.[^']+\.ts)'/g)];
  return found.map((match) => path.normalize(path.join(path.dirname(file), (match[1] ?? match[2])!)));
}

/** Why `from` must not import `to`, or undefined when it may. Both are folders of `src`. */
export function forbidden(from: string, to: string): string | undefined {
  if (from === to || shells.includes(from)) return undefined;
  if (shells.includes(to)) return 'only shells import shells';
  if (rooms.includes(from)) return rooms.includes(to) ? 'no room imports a room' : undefined;
  if (rooms.includes(to)) return 'no leaf imports a room';
  const step = (leaf: string) => leaves.findIndex((group) => group.includes(leaf));
  return step(to) > step(from) ? 'leaves import only leaves before them' : undefined;
}

const files = sourcesOf('src');

test('the import rule catches what it should', () => {
  assert.equal(forbidden('deliver', 'queue'), 'no room imports a room');
  assert.equal(forbidden('model', 'encode'), 'no leaf imports a room');
  assert.equal(forbidden('util', 'model'), 'leaves import only leaves before them');
  assert.equal(forbidden('encode', 'engine'), 'only shells import shells');
  assert.equal(forbidden('encode', 'kernel'), undefined);
  assert.equal(forbidden('(main)', 'queue'), undefined);
});

test('every folder of src is a known room, leaf or shell', () => {
  const known = new Set([...rooms, ...leaves.flat(), ...shells]);
  assert.deepEqual(
    [...new Set(files.map(folderOf))].filter((folder) => !known.has(folder)),
    [],
  );
});

test('shells import rooms, rooms import leaves, leaves import leaves before them', () => {
  const broken = files.flatMap((file) =>
    importsOf(file).flatMap((target) => {
      const reason = target.startsWith('src') ? forbidden(folderOf(file), folderOf(target)) : undefined;
      return reason === undefined ? [] : [`${file} imports ${target}: ${reason}`];
    }),
  );
  assert.deepEqual(broken, []);
});

/** Calls that belong to one place. */
const banned: { pattern: RegExp; where: (file: string) => boolean; instead: string }[] = [
  {
    pattern: /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval)\b/,
    where: (file) => file !== 'src/util/clock.ts',
    instead: 'take a Clock (src/util/clock.ts)',
  },
  { pattern: /\bconsole\./, where: () => true, instead: 'take a Logger (src/util/logger.ts)' },
  {
    pattern: /from '(prom-client|pino|pino-pretty)'/,
    where: (file) => folderOf(file) !== 'telemetry',
    instead: 'take a Meter or a Logger',
  },
  {
    pattern: /from '(fastify|undici)'/,
    where: (file) => !['ingest', 'deliver', 'service', 'destination'].includes(folderOf(file)),
    instead: 'sockets belong to ingest and deliver',
  },
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, where: () => true, instead: 'finish it, or open an issue' },
  {
    pattern: /\benum \w+ \{/,
    where: () => true,
    instead: 'an `as const` object (types are stripped, not compiled)',
  },
];

test('calls that belong to one place stay there', () => {
  const broken = files.flatMap((file) => {
    const lines = readFileSync(path.join(root, file), 'utf8').split('\n');
    return lines.flatMap((line, index) =>
      banned
        .filter(({ pattern, where }) => where(file) && pattern.test(line.replace(/^\s*(\*|\/\/|\/\*).*/, '')))
        .map(({ instead }) => `${file}:${index + 1}: ${line.trim()} — ${instead}`),
    );
  });
  assert.deepEqual(broken, []);
});

test('every source file is reachable from an entry', () => {
  const entries = ['src/main.ts', 'src/engine/worker.ts'];
  const seen = new Set<string>();
  const walk = (file: string) => {
    if (seen.has(file) || !existsSync(path.join(root, file))) return;
    seen.add(file);
    for (const target of importsOf(file)) walk(target);
  };
  for (const entry of entries) walk(entry);
  for (const script of sourcesOf('scripts')) walk(script);
  assert.deepEqual(
    files.filter((file) => !seen.has(file) && !file.endsWith('.d.ts')),
    [],
  );
});

/** Files without a test of their own: types only, or tested through the named file. */
const untested = new Map<string, string>([
  ['src/protocol/opentelemetry-series.ts', 'test/protocol/opentelemetry-points.test.ts'],
  ['src/ingest/insert-route.ts', 'test/ingest/insert.test.ts'],
  ['src/ingest/direct-response.ts', 'test/ingest/direct-connection.test.ts'],
  ['src/ingest/direct-server.ts', 'test/ingest/direct-connection.test.ts'],
  ['src/checks.ts', 'test/e2e/shaping.test.ts'],
  ['src/data-directory.ts', 'test/e2e/daemon.test.ts'],
  ['src/drop-examples.ts', 'test/e2e/shaping.test.ts'],
  ['src/relay-metrics.ts', 'test/e2e/shaping.test.ts'],
  ['src/talkers.ts', 'test/e2e/shaping.test.ts'],
  ['src/cli/offline.ts', 'test/cli/test.test.ts'],
  ['src/engine/shape.ts', 'test/engine/decider.test.ts'],
  ['src/engine/shaper.ts', 'test/engine/shaping.test.ts'],
  ['src/util/cpus.ts', 'test/telemetry/process.test.ts'],
  ['src/model/drops.ts', 'test/series/plans.test.ts'],
  ['src/series/label-reader.ts', 'test/series/plans.test.ts'],
  ['src/main.ts', 'test/e2e/daemon.test.ts'],
  ['src/app.ts', 'test/e2e/daemon.test.ts'],
  ['src/options.ts', 'test/e2e/daemon.test.ts'],
  ['src/engine/engine.ts', 'test/engine/pool.test.ts'],
  ['src/engine/known-series.ts', 'test/engine/shaping.test.ts'],
  ['src/engine/local-host.ts', 'test/engine/host.test.ts'],
  ['src/engine/thread-host.ts', 'test/engine/pool.test.ts'],
  ['src/engine/worker.ts', 'test/engine/pool.test.ts'],
  ['src/engine/outbox.ts', 'test/engine/pool.test.ts'],
  ['src/distribution.ts', 'test/destinations.test.ts'],
  ['src/outlet-factory.ts', 'test/e2e/discovery.test.ts'],
  ['src/engine/aggregation-stage.ts', 'test/engine/stages.test.ts'],
  ['src/engine/drop-tally.ts', 'test/engine/shaping.test.ts'],
  ['src/engine/request-limits.ts', 'test/engine/pipeline.test.ts'],
  ['src/rule-files.ts', 'test/aggregation.test.ts'],
  ['src/encode/group.ts', 'test/engine/pipeline.test.ts'],
  ['src/encode/parcel.ts', 'test/engine/pipeline.test.ts'],
  ['src/queue/file/format.ts', 'test/queue/file/log.test.ts'],
  ['src/queue/file/block-shape.ts', 'test/queue/file/vmagent-queue.test.ts'],
  ['src/queue/file/segment.ts', 'test/queue/file/log.test.ts'],
  ['src/queue/file/cursor.ts', 'test/queue/file/log.test.ts'],
  ['src/queue/file/damage.ts', 'test/queue/file/log.test.ts'],
  ['src/queue/file/recovery.ts', 'test/queue/file/log.test.ts'],
  ['src/queue/leases.ts', 'test/queue/queue.test.ts'],
  ['src/outlet-metrics.ts', 'test/outlet.test.ts'],
  ['src/queue/backlog.ts', 'test/queue/queue.test.ts'],
  ['src/queue/journal-metrics.ts', 'test/faults/kill.test.ts'],
]);

test('every source file with behaviour has its test file', () => {
  const missing = files.filter((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    const hasBehaviour =
      /\b(function|class|=>)\b/.test(text.replace(/\/\*[\s\S]*?\*\//g, '')) || /=> \{/.test(text);
    const testFile = file.replace(/^src/, 'test').replace(/\.ts$/, '.test.ts');
    const substitute = untested.get(file);
    return hasBehaviour && !existsSync(path.join(root, substitute ?? testFile)) && !coveredByFolder(file);
  });
  assert.deepEqual(missing, []);
});

/** A folder whose index test runs every entry through the same battery covers its entries. */
function coveredByFolder(file: string): boolean {
  return existsSync(path.join(root, path.dirname(file).replace(/^src/, 'test'), 'index.test.ts'));
}

test('source files stay readable', () => {
  const long = files.filter((file) => readFileSync(path.join(root, file), 'utf8').split('\n').length > 500);
  assert.deepEqual(long, [], 'over 500 lines: look for two nouns');
});
