/**
 * Requests as clients send them, and the series that they mean, side by side in test/golden/protocol/<name>/:
 *
 *     <case>.http        request line, headers, a blank line, the body
 *     <case>.hex.http    the same with the body in hex, with comments behind `#`
 *     <case>.lines       what a listener for lines gets
 *     <case>.series      the status, metadata, the series, and what was left out
 *
 * A new case is two files and no code.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BodyParser } from '../../src/engine/body-parser.ts';
import type { BodyEncoding, ParseNotes } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { decompressBody } from '../support/remote-write.ts';
import { allDefaults, NOW_MS, readMessage, receive, show } from './support.ts';

const golden = path.join(import.meta.dirname, '../golden/protocol');
/** `MetricType` of proto/remote.proto. */
const TYPES = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];

interface Request {
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function readRequest(text: string, isHex: boolean): Request {
  const [, head, rest] = /^(.*?\n)\n(.*)$/s.exec(text)!;
  const [first, ...lines] = head!.trimEnd().split('\n');
  const target = new URL(first!.split(' ')[1]!, 'http://relay');
  const headers = lines.map((line) => /^([^:]+): (.*)$/.exec(line)!.slice(1) as [string, string]);
  return {
    path: target.pathname,
    query: target.search,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body: isHex ? Buffer.from(rest!.replace(/#.*|\s/g, ''), 'hex') : Buffer.from(rest!),
  };
}

function showMessage(message: Uint8Array, notes?: ParseNotes): string[] {
  const { rows, metadata } = readMessage(message);
  return [
    ...metadata.map(
      ({ type, metricFamilyName, help }) => `# ${metricFamilyName} ${TYPES[type]} ${JSON.stringify(help)}`,
    ),
    ...rows.map(show),
    ...(notes?.examples ?? []).map((example) => `! ${example}`),
    ...(notes?.rowsIgnored === undefined ? [] : [`! ${notes.rowsIgnored} rows are no samples`]),
  ];
}

const parser = new BodyParser({ bodyBytesMax: 1024 * 1024, protocolOptions: allDefaults() });

/** What the engine makes of a body that has a parser. */
function engineOutcome(
  protocol: Protocol,
  encoding: BodyEncoding,
  parameters: Readonly<Record<string, string>>,
  body: Buffer,
): { readonly refusal?: string; readonly lines: readonly string[] } {
  const arrival = { parameters, receivedMs: NOW_MS };
  const result = parser.parse({ protocol: protocol.name, encoding, extraLabels: [], arrival }, body)!;
  if ('error' in result) return { refusal: `${result.status} ${result.error}`, lines: [] };
  return { lines: showMessage(result.message, result.notes) };
}

/** What becomes of an input, as text. */
function outcome(protocol: Protocol, file: string): readonly string[] {
  const bytes = readFileSync(path.join(golden, protocol.name, file));
  if (file.endsWith('.lines')) {
    const { refusal, lines } = engineOutcome(protocol, 'plain', protocol.lines!.parameters ?? {}, bytes);
    return refusal === undefined ? lines : [refusal];
  }
  const request = readRequest(bytes.toString(), file.endsWith('.hex.http'));
  const reception = receive(protocol, request);
  if (reception.kind === 'refusal') return [`${reception.status} ${reception.error}`];
  if (reception.kind === 'answer') return [`${reception.answer.status}`];
  const { encoding, parameters = {}, labels = [], accepted = protocol.accepted } = reception;
  const isMessage = protocol.parse === undefined;
  const { refusal, lines } = isMessage
    ? { lines: showMessage(decompressBody(request.body, request.headers['content-encoding'])) }
    : engineOutcome(protocol, encoding, parameters, request.body);
  if (refusal !== undefined) return [refusal];
  const shownLabels = labels.map(({ name, value }) => `+ ${name}=${JSON.stringify(value)}`);
  return [`${accepted.status}`, ...shownLabels, ...lines];
}

test('every protocol has its pairs, and every pair its protocol', () => {
  assert.deepEqual(readdirSync(golden).toSorted(), Object.keys(protocols).toSorted());
});

for (const protocol of Object.values<Protocol>(protocols)) {
  const files = readdirSync(path.join(golden, protocol.name));
  const inputs = files.filter((file) => !file.endsWith('.series'));
  const expectedOf = (file: string) => file.replace(/\.(http|lines)$/, '.series');

  test(`${protocol.name}: requests mean the series beside them`, () => {
    assert.deepEqual(files.toSorted(), [...inputs, ...inputs.map(expectedOf)].toSorted());
    for (const kind of ['http', 'lines']) {
      const isTaken = kind === 'http' ? protocol.routes.length > 0 : protocol.lines !== undefined;
      assert.equal(
        inputs.some((file) => file.endsWith(`.${kind}`)),
        isTaken,
        `a case .${kind}`,
      );
    }
    for (const file of inputs) {
      const expected = readFileSync(path.join(golden, protocol.name, expectedOf(file)), 'utf8');
      assert.deepEqual(outcome(protocol, file), expected.trimEnd().split('\n'), file);
    }
  });
}
