/** What may be put into a line of the log: bounded, without secrets, and without control characters where they show. */
import { redactUserInfo } from '../config/redact.ts';
import { messageOf } from '../util/error.ts';

const DEPTH_MAX = 5;
const ITEMS_MAX = 100;

export interface ValueRules {
  /** Characters of a text; the middle of a longer one is left out. */
  readonly lengthMax: number;
  /** For people: control characters become escapes. JSON has its own. */
  readonly escapesControl: boolean;
}

const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

const unicodeEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** So that nobody can forge a line or drive a terminal. */
function escapeControl(text: string): string {
  return text.replace(CONTROL, (character) => (character === '\n' ? '\\n' : unicodeEscape(character)));
}

/** The control characters that JSON leaves as they are; the result means the same. */
export function escapeJsonLine(line: string): string {
  return line.replace(/[\u007f-\u009f\u2028\u2029]/g, unicodeEscape);
}

export function loggedText(text: string, { lengthMax, escapesControl }: ValueRules): string {
  // Cut first: nobody should make us search megabytes.
  const half = Math.floor((lengthMax - 2) / 2);
  const short = text.length <= lengthMax ? text : `${text.slice(0, half)}..${text.slice(-half)}`;
  const clean = redactUserInfo(short);
  return escapesControl ? escapeControl(clean) : clean;
}

/** A copy of anything that JSON can hold. Never throws. */
export function loggedValue(value: unknown, rules: ValueRules, depth = 0): unknown {
  if (typeof value === 'string') return loggedText(value, rules);
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object') return undefined;
  if (depth >= DEPTH_MAX) return '…';
  try {
    return loggedObject(value, rules, depth);
  } catch (error) {
    return loggedText(`(cannot be shown: ${messageOf(error)})`, rules);
  }
}

function loggedObject(value: object, rules: ValueRules, depth: number): unknown {
  if (value instanceof Error) return loggedText(errorText(value), rules);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  // A Secret says `secret` here.
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return loggedValue(value.toJSON(), rules, depth + 1);
  }
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item) => loggedValue(item, rules, depth + 1) ?? null);
  }
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(
    entries.map(([key, item]) => [loggedText(key, rules), loggedValue(item, rules, depth + 1)]),
  );
}

/** Errors with a code are of the environment and explain themselves; of the others the stack tells more. */
function errorText(error: Error): string {
  const text = 'code' in error ? error.message : (error.stack ?? error.message);
  return error.cause === undefined ? text : `${text}: ${messageOf(error.cause)}`;
}
