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
import { test } from 'node:test';
import { BodyParser } from '../../src/engine/body-parser.ts';
import type { BodyEncoding, ParseNotes } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { decompressBody } from '../support/remote-write.ts';
import { goldenFiles, goldenNames, readGolden, readGoldenRequest } from './golden.ts';
import { allDefaults, NOW_MS, readMessage, receive, show } from './support.ts';

/** `MetricType` of proto/remote.proto. */
const TYPES = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];

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
  if (file.endsWith('.lines')) {
    const parameters = protocol.lines!.parameters ?? {};
    const { refusal, lines } = engineOutcome(protocol, 'plain', parameters, readGolden(protocol, file));
    return refusal === undefined ? lines : [refusal];
  }
  const request = readGoldenRequest(protocol, file);
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
  assert.deepEqual(goldenNames().toSorted(), Object.keys(protocols).toSorted());
});

for (const protocol of Object.values<Protocol>(protocols)) {
  const files = goldenFiles(protocol);
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
      const expected = readGolden(protocol, expectedOf(file)).toString();
      assert.deepEqual(outcome(protocol, file), expected.trimEnd().split('\n'), file);
    }
  });
}
