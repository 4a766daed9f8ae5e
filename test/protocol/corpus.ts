/** What the fuzz of a protocol begins with: bodies that are right or nearly so, and what heads and options say. */
import assert from 'node:assert/strict';
import type { OptionSpec } from '../../src/config/option.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { lineBodies, pushBodies } from '../support/push-bodies.ts';
import { goldenFiles, readGolden, readGoldenRequest } from './golden.ts';
import { type Given, type Head, receive } from './support.ts';

export interface Corpus {
  readonly bodies: readonly Uint8Array[];
  readonly given: readonly Given[];
  readonly heads: readonly Head[];
}

/** Neither text nor a format, and what all texts are made of. */
const NOISE: readonly (string | Uint8Array)[] = [
  Uint8Array.from({ length: 1_024 }, (_, index) => (index * 31 + (index >> 3)) & 0xff),
  '{}[]"",,,===:::|||@#   \n\n\\\\',
  '1 2 3 4 5 6 7 8 9 -1 .5 1e5 NaN',
];

/** Pairs of test/golden and the bodies of the end-to-end tests. A protocol that has neither is an error. */
export function corpusOf(protocol: Protocol): Corpus {
  const bodies: (string | Uint8Array)[] = [];
  const parameters: Record<string, string>[] = [];
  const heads: Head[] = [];
  const take = (body: string | Uint8Array, given: Readonly<Record<string, string>> | undefined) => {
    if (body.length > 0) bodies.push(body);
    if (given !== undefined) parameters.push(given);
  };
  const takeRequest = (head: Head, body: string | Uint8Array) => {
    heads.push(head);
    take(body, parametersOf(protocol, head));
  };
  for (const file of goldenFiles(protocol)) {
    if (file.endsWith('.lines')) take(readGolden(protocol, file), protocol.lines?.parameters);
    if (!file.endsWith('.http')) continue;
    const request = readGoldenRequest(protocol, file);
    takeRequest(request, request.body);
  }
  for (const { path, query, headers = {}, body, ...push } of pushBodies) {
    // Compressed bodies are the others once more.
    if (push.protocol !== protocol.name || headers['Content-Encoding'] !== undefined) continue;
    const names = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    takeRequest({ path, query: query ?? '', headers: Object.fromEntries(names) }, body);
  }
  for (const { body } of lineBodies.filter((one) => one.protocol === protocol.name)) {
    take(body, protocol.lines?.parameters);
  }
  assert.notEqual(
    bodies.length,
    0,
    `${protocol.name} has bodies in test/golden or test/support/push-bodies.ts`,
  );
  const known = [...new Set([{}, ...parameters].map((one) => JSON.stringify(one)))];
  return {
    bodies: [...bodies, ...NOISE].map((body) => Buffer.from(body as string)),
    heads,
    given: known.flatMap((text) => {
      const one = { parameters: JSON.parse(text) as Record<string, string> };
      return [one, { ...one, options: flipped(protocol) }];
    }),
  };
}

/** What the parser is told of a head; undefined when the head is refused. */
function parametersOf(protocol: Protocol, head: Head): Readonly<Record<string, string>> | undefined {
  const reception = receive(protocol, head);
  return reception.kind === 'body' ? (reception.parameters ?? {}) : undefined;
}

/** Every switch of the protocol the other way. */
function flipped({ options }: Protocol): Record<string, boolean> {
  const switches = Object.entries<OptionSpec>(options).filter(([, { kind }]) => kind === 'bool');
  return Object.fromEntries(switches.map(([name, spec]) => [name, spec.default !== true]));
}
