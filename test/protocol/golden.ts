/** The inputs of test/golden/protocol, and what a parser gets of them. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Protocol } from '../../src/protocol/protocol.ts';

const directory = path.join(import.meta.dirname, '../golden/protocol');

export interface GoldenRequest {
  readonly path: string;
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Names of the protocols that have pairs. */
export const goldenNames = (): string[] => readdirSync(directory);

/** File names: inputs and what they mean. */
export const goldenFiles = ({ name }: Protocol): string[] => readdirSync(path.join(directory, name));

export const readGolden = ({ name }: Protocol, file: string): Buffer =>
  readFileSync(path.join(directory, name, file));

/** Of a file `.http`, or `.hex.http`. */
export function readGoldenRequest(protocol: Protocol, file: string): GoldenRequest {
  const text = readGolden(protocol, file).toString();
  const [, head, rest] = /^(.*?\n)\n(.*)$/s.exec(text)!;
  const [first, ...lines] = head!.trimEnd().split('\n');
  const target = new URL(first!.split(' ')[1]!, 'http://relay');
  const headers = lines.map((line) => /^([^:]+): (.*)$/.exec(line)!.slice(1) as [string, string]);
  return {
    path: target.pathname,
    query: target.search,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body: file.endsWith('.hex.http') ? Buffer.from(rest!.replace(/#.*|\s/g, ''), 'hex') : Buffer.from(rest!),
  };
}
