import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { requestSmall } from '../../src/deliver/small-request.ts';
import { systemClock } from '../../src/util/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { serve } from './support.ts';

test('an answer comes with status and type, redirects included', async (t) => {
  const url = await serve(t, (_request, reply) => {
    reply.writeHead(302, { location: '/x', 'content-type': 'text/x' }).end('there');
  });
  const reply = await requestSmall({ url, method: 'GET' }, systemClock);
  assert.deepEqual(reply, { status: 302, contentType: 'text/x', text: 'there' });
});

test('an endless and a late answer reject', async (t) => {
  const url = await serve(t, (request, reply) => {
    if (request.url === '/late') return;
    const fill = () =>
      void (reply.write(Buffer.alloc(100_000)) ? setImmediate(fill) : reply.once('drain', fill));
    fill();
  });
  await assert.rejects(requestSmall({ url, method: 'GET' }, systemClock), /larger than/);
  const clock = new FakeClock();
  const late = requestSmall({ url: `${url}/late`, method: 'GET' }, clock);
  await turn();
  clock.advance(10_000);
  await assert.rejects(late, /timed out/);
});
