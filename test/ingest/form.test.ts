import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { FORM_BYTES_MAX } from '../../src/ingest/form.ts';
import { fetchText, open, startServer } from './harness.ts';

const echo: Endpoint = {
  paths: ['/form'],
  access: 'open',
  readsForm: true,
  handle: ({ form, query }) => ({
    status: 200,
    body: `${query.get('q')} ${form.get('a')}`,
    contentType: 'text/plain',
  }),
};

test('the fields of a posted form come to the endpoint, beside the query', async (t) => {
  const { url } = await startServer(t, {}, [echo]);
  const post = (body: string) => fetchText(`${url}/form?q=1`, { method: 'POST', body });
  assert.equal((await post('a=%C3%A9+x&b=2')).body, '1 é x');
  assert.equal((await post(`b=${'x'.repeat(100_000)}&a=end`)).body, '1 end');
  assert.equal((await post('')).body, '1 null');
  assert.equal((await fetchText(`${url}/form?q=2`)).body, '2 null');
});

test('a form that is too large or does not come is refused', async (t) => {
  const { url, port } = await startServer(t, { 'insert.bodyIdleTimeout': 1_000 }, [echo]);
  const large = await fetchText(`${url}/form`, { method: 'POST', body: 'x'.repeat(FORM_BYTES_MAX + 1) });
  assert.deepEqual(
    [large.status, large.body],
    [413, `cannot read the form: it is larger than ${FORM_BYTES_MAX} bytes\n`],
  );
  const socket = await open(t, port);
  socket.write('POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na=');
  const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
  assert.match(answer, /^HTTP\/1\.1 408 /);
});
