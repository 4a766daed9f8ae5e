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
import type { BodyFormat } from '../../src/engine/messages.ts';
import { Unpacker } from '../../src/engine/unpacker.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import type { Parameters, ParseNotes } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { goldenFiles, goldenNames, readGolden, readGoldenRequest } from './golden.ts';
import { allDefaults, NOW_MS, readMessage, receive, show } from './support.ts';

/** `MetricType` of proto/remote.proto. */
const TYPES = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];

const BODY_BYTES_MAX = 1024 * 1024;

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

const kernel = new Kernel(compileKernel());
const place = kernel.memory.alloc(BODY_BYTES_MAX);
const sources = { bodyBytesMax: BODY_BYTES_MAX, protocolOptions: allDefaults() };
const unpacker = new Unpacker(kernel, sources, () => place);

/** The engine's part. */
function engineOutcome(
  format: Pick<BodyFormat, 'protocol' | 'encoding'>,
  parameters: Parameters,
  body: Buffer,
): { readonly refusal?: string; readonly lines: readonly string[] } {
  const arrival = { parameters, receivedMs: NOW_MS };
  const unpacked = unpacker.unpack({ ...format, extraLabels: [], arrival }, body);
  if ('error' in unpacked) return { refusal: `${unpacked.status} ${unpacked.error}`, lines: [] };
  const { rawPtr, rawLength, notes } = unpacked;
  return { lines: showMessage(kernel.memory.bytes().slice(rawPtr, rawPtr + rawLength), notes) };
}

/** What becomes of an input, as text. */
function outcome(protocol: Protocol, file: string): readonly string[] {
  if (file.endsWith('.lines')) {
    const format = { protocol: protocol.name, encoding: 'plain' } as const;
    const parameters = protocol.lines!.parameters ?? {};
    const { refusal, lines } = engineOutcome(format, parameters, readGolden(protocol, file));
    return refusal === undefined ? lines : [refusal];
  }
  const request = readGoldenRequest(protocol, file);
  const reception = receive(protocol, request);
  if (reception.kind === 'refusal') return [`${reception.status} ${reception.error}`];
  if (reception.kind === 'answer') return [`${reception.answer.status}`];
  const { encoding, message, parameters = {}, labels = [], accepted = protocol.accepted } = reception;
  const format = { protocol: message ?? protocol.name, encoding };
  const { refusal, lines } = engineOutcome(format, parameters, request.body);
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
