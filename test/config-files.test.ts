/** The files that people start from: they parse, they fit together, and they name metrics that exist. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';

const root = path.join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Every string in the sources that could be a part of a metric's name. */
const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => read(path.join('src', file)))
  .join('\n');

/** Names are written whole, or as a common beginning and the rest. */
const beginnings = [
  '',
  'vmagent_remotewrite_',
  'vmagent_remotewrite_block_',
  'vm_persistentqueue_',
  'sluice_engine_',
  'sluice_ledger_destination_',
];
const families = ['sluice_ledger_samples_total', 'sluice_ledger_destination_samples'];

function isRegistered(name: string): boolean {
  const bare = name.replace(/_(bucket|sum|count)$/, '');
  return (
    families.includes(bare) ||
    beginnings.some(
      (beginning) => bare.startsWith(beginning) && sources.includes(`'${bare.slice(beginning.length)}'`),
    )
  );
}

function namesIn(expression: string): string[] {
  return [...expression.matchAll(/\b((?:vm|vmagent|sluice|process|flag)_[a-z0-9_]+)\b/g)].map(
    (match) => match[1]!,
  );
}

test('a metric that does not exist is noticed', () => {
  assert.deepEqual(namesIn('sum(rate(vmagent_no_such_total{a="b"}[5m])) / sluice_other'), [
    'vmagent_no_such_total',
    'sluice_other',
  ]);
  assert.equal(isRegistered('vmagent_no_such_total'), false);
  assert.equal(isRegistered('vmagent_remotewrite_duration_seconds_bucket'), true);
});

test('alerts are about metrics that exist', () => {
  const { groups } = parse(read('config/alerts.yml')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length >= 5);
  for (const { alert, expr } of rules) {
    assert.notDeepEqual(namesIn(expr), [], alert);
    for (const name of namesIn(expr)) assert.ok(isRegistered(name), `${alert}: ${name}`);
  }
});

test('the dashboard shows metrics that exist, from the datasource that is provisioned', () => {
  const { panels } = JSON.parse(read('config/grafana/dashboards/sluice.json')) as {
    panels: { title: string; datasource: { uid: string }; targets: { expr: string }[] }[];
  };
  const { datasources } = parse(read('config/grafana/provisioning/datasources/victoria-metrics.yml')) as {
    datasources: { uid: string; url: string }[];
  };
  assert.ok(panels.length >= 8);
  for (const { title, datasource, targets } of panels) {
    assert.equal(datasource.uid, datasources[0]!.uid, title);
    for (const name of targets.flatMap(({ expr }) => namesIn(expr)))
      assert.ok(isRegistered(name), `${title}: ${name}`);
  }
});

test('the Compose file mounts files that exist and names its own services', () => {
  const { services } = parse(read('docker-compose.yml')) as {
    services: Record<string, { volumes?: string[]; depends_on?: string[]; image?: string }>;
  };
  for (const [name, { volumes = [], depends_on = [], image }] of Object.entries(services)) {
    for (const source of volumes
      .map((volume) => volume.split(':')[0]!)
      .filter((source) => source.startsWith('.'))) {
      assert.ok(existsSync(path.join(root, source)), `${name}: ${source}`);
    }
    for (const other of depends_on) assert.ok(other in services, `${name}: ${other}`);
    assert.match(image ?? '', /:/, `${name} has a tag`);
  }
  const targets = [
    read('config/prometheus.yml'),
    JSON.stringify(services),
    read('config/grafana/provisioning/datasources/victoria-metrics.yml'),
  ]
    .join('\n')
    .matchAll(/(?:http:\/\/|["[])([a-z-]+):(?:8428|8429|9100)\b/g);
  const hosts = [...targets].map((match) => match[1]!);
  assert.ok(hosts.length >= 5);
  for (const host of hosts) assert.ok(host in services, host);
});

test('the image is built from a base that can be chosen, runs as nobody special, and has a health check', () => {
  const text = read('Dockerfile');
  assert.match(text, /^ARG NODE_IMAGE=\S+:\S+$/m);
  assert.equal(text.match(/^FROM \$\{NODE_IMAGE\}/gm)?.length, 2);
  for (const line of [
    /^USER node$/m,
    /^HEALTHCHECK /m,
    /^STOPSIGNAL SIGTERM$/m,
    /^VOLUME \/data$/m,
    /^ENTRYPOINT \["/m,
  ]) {
    assert.match(text, line);
  }
});
