/** What the bench sends in a text protocol and what it expects of it are the same series. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { bodyFormats, type FormatName } from '../../bench/load/formats.ts';
import { BodyParser } from '../../src/engine/body-parser.ts';
import { protocolOptions, protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';

const spec = { series: 300, seriesPerRequest: 100, scrapes: 2 };
const defaults = Object.fromEntries(
  Object.values<Protocol>(protocols).flatMap(({ options }) =>
    Object.entries(options).map(([name, option]) => [name, option.default]),
  ),
);
const config = { bodyBytesMax: 32 * 1024 * 1024, protocolOptions: protocolOptions(defaults) };

const protocolNames: Partial<Record<FormatName, string>> = {
  influx: 'influx',
  'influx-gzip': 'influx',
  'json-lines': 'vmimport',
  'prometheus-text': 'prometheus',
};

for (const [format, protocol] of Object.entries(protocolNames) as [FormatName, string][]) {
  test(`${format}: the message is what the body says`, () => {
    const bodies = bodyFormats[format].make(spec);
    assert.equal(bodies.length, 6);
    for (const { body, message, samples } of bodies) {
      const plain = format === 'influx-gzip' ? gunzipSync(body) : body;
      const parser = new BodyParser(config);
      const arrival = { parameters: {}, receivedMs: 0 };
      const parsed = parser.parse({ protocol, encoding: 'plain', extraLabels: [], arrival }, plain);
      assert.ok(parsed !== undefined && !('error' in parsed));
      assert.deepEqual(Buffer.from(parsed.message), Buffer.from(message));
      assert.equal(samples, format === 'json-lines' ? 1000 : 100);
    }
  });
}
