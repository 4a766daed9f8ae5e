import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { relabelDebug } from '../../src/service/relabel-debug.ts';
import { fetchText, startServer } from '../ingest/harness.ts';

const relabel = {
  globalRules: () => '- action: labeldrop\n  regex: <pod>',
  urlRules: (index: number) => (index === 1 ? '- target_label: dc\n  replacement: eu\n' : ''),
};

async function start(t: TestContext) {
  const { url } = await startServer(t, { 'http.disableCORS': false }, [relabelDebug({ relabel })]);
  const path = `${url}/metric-relabel-debug`;
  const get = (fields: Record<string, string>) => fetchText(`${path}?${new URLSearchParams(fields)}`);
  const post = (fields: Record<string, string>) =>
    fetchText(path, { method: 'POST', body: new URLSearchParams(fields) });
  const json = async (fields: Record<string, string>) => {
    const { status, headers, body } = await post({ ...fields, format: 'json' });
    assert.deepEqual(
      [status, headers.get('content-type'), headers.get('access-control-allow-origin')],
      [200, 'application/json; charset=utf-8', '*'],
    );
    return JSON.parse(body);
  };
  return { path, get, post, json };
}

const evil = '<script>alert(1)</script>';

test('as JSON: one step a rule, and what is done after them', async (t) => {
  const { json, get } = await start(t);
  const fields = {
    metric: 'up{job="a",x="<"}',
    relabel_configs: '- {source_labels: [job], target_label: __y}\n- {target_label: x}\n',
  };
  const span = (color: string, text: string) =>
    `<span style="font-weight:bold;color:${color}">${text}</span>`;
  const job = 'job=&quot;a&quot;';
  const expected = {
    status: 'success',
    steps: [
      {
        inLabels: `up{${job},x=&quot;&lt;&quot;}`,
        outLabels: `up{${job},x=&quot;&lt;&quot;,${span('blue', '__y=&quot;a&quot;')}}`,
        rule: 'source_labels:\n  - job\ntarget_label: __y',
        errors: {},
      },
      {
        inLabels: `up{${job},${span('red', 'x=&quot;&lt;&quot;')},__y=&quot;a&quot;}`,
        outLabels: `up{${job},${span('blue', 'x=&quot;&quot;')},__y=&quot;a&quot;}`,
        rule: 'target_label: x',
        errors: {},
      },
      {
        inLabels: `up{${job},${span('red', 'x=&quot;&quot;')},__y=&quot;a&quot;}`,
        outLabels: `up{${job},__y=&quot;a&quot;}`,
        rule: 'remove empty labels',
        errors: {},
      },
      {
        inLabels: `up{${job},${span('red', '__y=&quot;a&quot;')}}`,
        outLabels: `up{${job}}`,
        rule: 'remove labels that begin with __, except __name__ and __statsd_metric_type__',
        errors: {},
      },
    ],
    originalLabels: `up{${job},x=&quot;&lt;&quot;}`,
    resultingLabels: `up{${job}}`,
  };
  assert.deepEqual(await json(fields), expected);
  assert.deepEqual(JSON.parse((await get({ ...fields, format: 'json' })).body), expected);
  const dropped = await json({ metric: 'up', relabel_configs: '- {action: drop, if: up}' });
  assert.deepEqual([dropped.steps.length, dropped.originalLabels, dropped.resultingLabels], [1, 'up', '{}']);
});

test('as JSON: what is wrong', async (t) => {
  const { json } = await start(t);
  assert.deepEqual(await json({ metric: 'up{', relabel_configs: '[]' }), {
    status: 'error',
    error:
      'cannot read the metric: at character 4 label="value" is expected; write it like name{label="value"}',
  });
  const { status, error } = await json({ metric: 'up', relabel_configs: '- action: keap\n- target: x' });
  assert.equal(status, 'error');
  assert.match(error, /^relabel_configs:1:11: rule 1: .*did you mean keep\?\nrelabel_configs:2:3: rule 2: /);
});

test('what would take long is refused', async (t) => {
  const { json, post } = await start(t);
  const large = (one: string, count: number) => json({ metric: 'up', relabel_configs: one.repeat(count) });
  assert.match((await json({ metric: 'x'.repeat(5_000) })).error, /longer than 4096/);
  assert.match((await large('- {action: labelkeep}\n', 201)).error, /more than 200 rules/);
  assert.match(
    (await large('- {action: labeldrop, regex: "(ab?){1000}"}\n', 20)).error,
    /rule 7: the regexes up to here are too large together; run fewer/,
  );
  assert.match(
    (await large(`- {action: labeldrop, if: '{a=~"(ab?){1000}"}'}\n`, 20)).error,
    /rule 7: the regexes/,
  );
  assert.equal((await post({ relabel_configs: 'x'.repeat(200_000) })).status, 413);
});

test('the page shows the steps, and nothing of what it is given runs', async (t) => {
  const { post } = await start(t);
  const { status, headers, body } = await post({
    metric: `up{a="${evil}"}`,
    relabel_configs: `- {target_label: b, replacement: "${evil}"} # </textarea>${evil}`,
    url_relabel_configs_index: `">${evil}`,
  });
  assert.deepEqual([status, headers.get('content-type')], [200, 'text/html; charset=utf-8']);
  assert.match(
    headers.get('content-security-policy')!,
    /^default-src 'none'; style-src 'sha256-.*form-action 'self'/,
  );
  assert.ok(!body.includes('<script'));
  assert.equal(body.split('</textarea>').length, 3);
  assert.ok(body.includes('<ins>b=&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot;</ins>'));
  const wrong = await post({ metric: 'up', relabel_configs: `- {"${evil}": 1}` });
  assert.match(
    wrong.body,
    /<h2>Problems<\/h2><pre class="card error">relabel_configs:1:4: rule 1: a rule has no field &quot;&lt;script/,
  );
  const dropped = await post({ metric: 'up', relabel_configs: '- {action: drop, if: up}' });
  assert.equal(dropped.body.split('<span class="bad">dropped</span>').length, 3);
  assert.match((await post({ metric: 'up' })).body, /Nothing changes/);
});

test('without input the rules in use are there to begin with', async (t) => {
  const { get } = await start(t);
  const rules = async (fields: Record<string, string>) =>
    /name="relabel_configs"[^>]*>\n([^<]*)</.exec((await get(fields)).body)![1];
  const global = '- action: labeldrop\n  regex: &lt;pod&gt;';
  assert.equal(await rules({}), global);
  assert.equal(
    await rules({ url_relabel_configs_index: '1' }),
    `${global}\n- target_label: dc\n  replacement: eu\n`,
  );
  assert.equal(await rules({ url_relabel_configs_index: '7' }), global);
  assert.equal(await rules({ url_relabel_configs_index: 'x', metric: ' ' }), global);
  assert.equal(await rules({ metric: 'up' }), '');
  assert.ok(!(await get({})).body.includes('<h2>'));
});

test('other methods are refused', async (t) => {
  const { path } = await start(t);
  const { status, headers } = await fetchText(path, { method: 'DELETE' });
  assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD, POST']);
});
