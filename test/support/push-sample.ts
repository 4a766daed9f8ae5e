/** `node test/support/push-sample.ts URL NAME`: pushes one sample, for scripts that try a running daemon by hand. */
import { bitsOf, push } from './remote-write.ts';

const [url, name] = process.argv.slice(2);
if (url === undefined || name === undefined) throw new Error('usage: push-sample.ts URL NAME');
const points = [{ timestampMs: Date.now(), bits: bitsOf(1) }];
const { status, text } = await push(`${url}/api/v1/write`, [
  { labels: { __name__: name, job: 'push-sample' }, points },
]);
if (status !== 204) throw new Error(`${url} answered ${status}: ${text}`);
