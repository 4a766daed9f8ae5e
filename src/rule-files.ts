/** Files of rules, local or at a URL, with %{NAME} for what the environment holds. */
import { readFile } from 'node:fs/promises';
import { SluiceError } from './util/error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const FETCH_TIMEOUT_MS = 30_000;
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** The text of a file of rules. Rejects when it cannot be read. */
export async function readRuleText(path: string, env: Environment): Promise<string> {
  return expandEnvironment(await readText(path), env);
}

/** Variables that are not there stay as they are written, as in vmagent. */
function expandEnvironment(text: string, env: Environment): string {
  return text.replaceAll(/%\{(\w+)\}/g, (whole, name: string) => env[name] ?? whole);
}

async function readText(path: string): Promise<string> {
  if (!/^https?:\/\//.test(path)) return readFile(path, 'utf8');
  const response = await fetch(path, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new SluiceError('rules_status', `the answer has status ${response.status}`);
  }
  const text = await response.text();
  if (text.length > FILE_BYTES_MAX) {
    throw new SluiceError('rules_long', `it has more than ${FILE_BYTES_MAX} bytes`);
  }
  return text;
}
