import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { startServer } from './harness.ts';

const ON = { enableMultitenantHandlers: true };
const body = new Uint8Array(compress(new Uint8Array(0)));

async function send(url: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(url, { method: 'POST', body, headers });
  return { status: response.status, text: await response.text() };
}

test('every protocol is there for a tenant, by its suffix', async (t) => {
  const { url, intake } = await startServer(t, ON);
  const suffixes = {
    prometheus: 'promremotewrite',
    'prometheus/': 'promremotewrite',
    'prometheus/api/v1/write': 'promremotewrite',
    'prometheus/api/v1/push': 'promremotewrite',
    'prometheus/api/v1/import': 'vmimport',
    'prometheus/api/v1/import/csv?format=1:metric:a': 'csvimport',
    'prometheus/api/v1/import/native': 'native',
    'prometheus/api/v1/import/prometheus': 'prometheus',
    'prometheus/api/v1/import/prometheus/metrics/job/x': 'prometheus',
    'influx/write': 'influx',
    'influx/api/v2/write': 'influx',
    'newrelic/infra/v2/metrics/events/bulk': 'newrelic',
    'datadog/api/v1/series': 'datadogv1',
    'datadog/api/v2/series': 'datadogv2',
    'datadog/api/beta/sketches': 'datadogsketches',
  };
  for (const [suffix, protocol] of Object.entries(suffixes)) {
    const { status } = await send(`${url}/insert/7:8/${suffix}`);
    assert.ok(status < 300, `${suffix}: ${status}`);
    const got = intake.bodies.at(-1)!;
    assert.equal(got.protocol, protocol, suffix);
    assert.deepEqual(got.tenant, { accountId: 7, projectId: 8 }, suffix);
    assert.deepEqual(
      got.extraLabels.slice(-2),
      [
        { name: 'vm_account_id', value: '7' },
        { name: 'vm_project_id', value: '8' },
      ],
      suffix,
    );
  }
  assert.deepEqual(intake.bodies[8]!.extraLabels[0], { name: 'job', value: 'x' });
  assert.equal(intake.bodies[0]!.extraLabels, intake.bodies[2]!.extraLabels, 'one format for one tenant');
});

test('nothing else is below /insert/, and nothing is without the flag', async (t) => {
  const { url, intake } = await startServer(t, ON);
  for (const suffix of ['api/v1/write', 'write', 'prometheus/api/v1/query', '', 'metrics', 'influx']) {
    assert.equal((await send(`${url}/insert/1/${suffix}`)).status, 404, suffix);
  }
  const off = await startServer(t);
  assert.equal((await send(`${off.url}/insert/1/prometheus/api/v1/write`)).status, 404);
  assert.equal(intake.bodies.length + off.intake.bodies.length, 0);
});

test('labels of a tenant replace those that the query adds', async (t) => {
  const { url, intake } = await startServer(t, ON);
  const query = 'extra_label=a=b&extra_label=vm_account_id=5&extra_label=vm_project_id=6';
  await send(`${url}/insert/3/prometheus/api/v1/write?${query}`);
  assert.deepEqual(
    intake.bodies[0]!.extraLabels.map(({ name, value }) => `${name}=${value}`),
    ['a=b', 'vm_account_id=3', 'vm_project_id=0'],
  );
  await send(`${url}/insert/multitenant/prometheus/api/v1/write?${query}`);
  assert.equal(intake.bodies[1]!.tenant, undefined);
  assert.equal(intake.bodies[1]!.extraLabels.length, 3);
});

test('headers, where the path names no tenant, and only if that is wanted', async (t) => {
  const { url, intake } = await startServer(t, ON);
  assert.equal(
    (await send(`${url}/insert/prometheus/api/v1/write`, { AccountID: '9', ProjectID: '1' })).status,
    204,
  );
  assert.deepEqual(intake.bodies[0]!.tenant, { accountId: 9, projectId: 1 });
  const bad = await send(`${url}/insert/prometheus/api/v1/write`, { AccountID: 'nine' });
  assert.equal(bad.status, 400);
  assert.match(bad.text, /^cannot read the tenant in the header AccountID: "nine"/);
  const off = await startServer(t, { ...ON, enableMultitenancyViaHeaders: false });
  const refused = await send(`${off.url}/insert/prometheus/api/v1/write`, { AccountID: '9' });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /the tenant "prometheus" in the path/);
});

test('who may not write learns nothing of tenants', async (t) => {
  const { url } = await startServer(t, { ...ON, 'httpAuth.username': 'u' });
  assert.equal((await send(`${url}/insert/x:y/prometheus/api/v1/write`)).status, 401);
  assert.equal((await send(`${url}/insert/1/prometheus/api/v1/write`)).status, 401);
});

test('tenants have counters, up to a number of them', async (t) => {
  const { url, meter, intake } = await startServer(t, ON);
  intake.judge = () => ({
    ok: true,
    counts: { series: 1, samples: 3, histograms: 2, exemplars: 0, metadata: 4 },
  });
  await send(`${url}/insert/1:2/prometheus/api/v1/write`);
  await send(`${url}/insert/1:2/prometheus/api/v1/write`);
  await send(`${url}/api/v1/write`);
  await send(`${url}/insert/multitenant/prometheus/api/v1/write`);
  const labels = { type: 'promremotewrite', accountID: '1', projectID: '2' };
  assert.equal(meter.value('vmagent_tenant_inserted_rows_total', labels), 10);
  assert.equal(meter.value('vmagent_tenant_inserted_metadata_total', labels), 8);
  assert.equal(meter.value('vmagent_rows_inserted_total', { type: 'promremotewrite' }), 20);
  const request = { path: '/api/v1/write', protocol: 'promremotewrite' };
  assert.equal(meter.value('vmagent_http_requests_total', request), 4);
});

test('behind a path prefix, and with doubled slashes', async (t) => {
  const { url, intake } = await startServer(t, { ...ON, 'http.pathPrefix': '/relay' });
  assert.equal((await send(`${url}/insert//4/prometheus//api/v1/write`)).status, 204);
  assert.deepEqual(intake.bodies[0]!.tenant, { accountId: 4, projectId: 0 });
});
