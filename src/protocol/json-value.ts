/**
 * JSON as values, for protocols whose bodies are small trees: as lenient as vmagent's reader, with `NaN` and `Inf` among
 * the numbers, and with the members of objects in their order, doubled ones too.
 */
import { JsonScanner, unescapeJson } from './json-scanner.ts';
import { NumberReader } from './number.ts';
import { Scratch } from './scratch.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** How `parseJson` failed, for messages. */
export const NO_JSON = 'it is not JSON, or more than 4,000,000 values';

export class JsonObject {
  readonly members: readonly (readonly [string, JsonValue])[];

  constructor(members: readonly (readonly [string, JsonValue])[]) {
    this.members = members;
  }

  /** The first member of this name. */
  get(name: string): JsonValue | undefined {
    return this.members.find(([key]) => key === name)?.[1];
  }

  /** As examples of what is left out show it. */
  toJSON(): unknown {
    return Object.fromEntries(this.members);
  }
}

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LETTER_Y = 0x79;
/** Deeper nesting is an error. */
const DEPTH_MAX = 300;
/** A value takes up to 100 bytes of memory, and three of the body. Real bodies have 10 bytes or more for each. */
const VALUES_MAX = 4_000_000;

const words: ReadonlyMap<string, JsonValue> = new Map<string, JsonValue>([
  ['null', null],
  ['true', true],
  ['false', false],
]);
const WORD_LENGTH_MAX = 5;

/** The value that the bytes are; undefined when they are none, or more than `VALUES_MAX` values. */
export function parseJson(bytes: Uint8Array): JsonValue | undefined {
  const reader = new JsonReader(bytes);
  const value = reader.read(0);
  return reader.isAtEnd ? value : undefined;
}

/** The number of a number, or of a text that is one; undefined for anything else. */
export function numberOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value);
  const numbers = new NumberReader();
  return numbers.read(bytes, 0, bytes.byteLength) ? numbers.value : undefined;
}

class JsonReader {
  readonly #json: JsonScanner;
  readonly #bytes: Uint8Array;
  readonly #numbers = new NumberReader();
  readonly #scratch = new Scratch();
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#json = new JsonScanner(bytes);
    this.#json.open(0, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#json.peek() < 0;
  }

  read(depth: number): JsonValue | undefined {
    const json = this.#json;
    if (++this.#values > VALUES_MAX) return undefined;
    const first = json.peek();
    if (first === QUOTE) return json.takeString() ? this.#text() : undefined;
    if (first === OPEN_ARRAY || first === OPEN_OBJECT) {
      if (depth === DEPTH_MAX) return undefined;
      json.take(first);
      return first === OPEN_ARRAY ? this.#array(depth + 1) : this.#object(depth + 1);
    }
    return json.takeToken() ? this.#word() : undefined;
  }

  #text(): string {
    const { start, stop, isEscaped } = this.#json;
    if (!isEscaped) return textOf(this.#bytes, start, stop);
    const end = unescapeJson(this.#bytes, start, stop, this.#scratch, 0);
    return textOf(this.#scratch.bytes, 0, end);
  }

  #word(): JsonValue | undefined {
    const { start, stop } = this.#json;
    const bytes = this.#bytes;
    if (stop - start <= WORD_LENGTH_MAX) {
      const value = words.get(textOf(bytes, start, stop));
      if (value !== undefined) return value;
    }
    // Infinity as a whole word is none of the numbers.
    const isNumber = (bytes[stop - 1]! | 0x20) !== LETTER_Y && this.#numbers.read(bytes, start, stop);
    return isNumber ? this.#numbers.value : undefined;
  }

  #array(depth: number): JsonValue | undefined {
    const items: JsonValue[] = [];
    for (let more = this.#json.take(CLOSE_ARRAY) ? 0 : 1; more > 0; ) {
      const item = this.read(depth);
      if (item === undefined) return undefined;
      items.push(item);
      more = this.#json.takeSeparator(CLOSE_ARRAY);
      if (more < 0) return undefined;
    }
    return items;
  }

  #object(depth: number): JsonValue | undefined {
    const members: [string, JsonValue][] = [];
    for (let more = this.#json.take(CLOSE_OBJECT) ? 0 : 1; more > 0; ) {
      if (!this.#json.takeKey()) return undefined;
      const key = this.#text();
      const value = this.read(depth);
      if (value === undefined) return undefined;
      members.push([key, value]);
      more = this.#json.takeSeparator(CLOSE_OBJECT);
      if (more < 0) return undefined;
    }
    return new JsonObject(members);
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
