/**
 * Objects of JSON with fields of known types, as Go reads them into structs: names in any case, the last one counts, what is
 * missing or null is empty, and any other type is an error.
 */
import { JsonObject, type JsonValue, NO_JSON, parseJson } from './json-value.ts';

export class FieldError extends Error {}

/** Throws a FieldError when the bytes are no object. */
export function parseFields(bytes: Uint8Array): Fields {
  const root = parseJson(bytes);
  if (root === undefined) throw new FieldError(NO_JSON);
  return new Fields(root, 'the body');
}

/** Every method throws a FieldError that says where. */
export class Fields {
  readonly #where: string;
  readonly #values = new Map<string, JsonValue>();

  constructor(value: JsonValue, where: string) {
    this.#where = where;
    if (value === null) return;
    if (!(value instanceof JsonObject)) throw new FieldError(`${where} is not an object`);
    for (const [name, field] of value.members) this.#values.set(name.toLowerCase(), field);
  }

  text(name: string): string {
    return textOf(this.#values.get(name), `${this.#where}.${name}`);
  }

  number(name: string): number {
    return finiteOf(this.#values.get(name), `${this.#where}.${name}`);
  }

  integer(name: string): number {
    const value = this.number(name);
    if (!Number.isInteger(value)) throw new FieldError(`${this.#where}.${name} is not an integer`);
    return value;
  }

  texts(name: string): string[] {
    return this.list(name).map((item, index) => textOf(item, `${this.#where}.${name}[${index}]`));
  }

  objects(name: string): Fields[] {
    return this.list(name).map((item, index) => new Fields(item, `${this.#where}.${name}[${index}]`));
  }

  list(name: string): readonly JsonValue[] {
    return listOf(this.#values.get(name), `${this.#where}.${name}`);
  }

  /** Lists of numbers. */
  tuples(name: string): number[][] {
    return this.list(name).map((item, index) => {
      const where = `${this.#where}.${name}[${index}]`;
      return listOf(item, where).map((number) => finiteOf(number, where));
    });
  }
}

function textOf(value: JsonValue | undefined, where: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new FieldError(`${where} is not a text`);
  return value;
}

function finiteOf(value: JsonValue | undefined, where: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new FieldError(`${where} is not a number`);
  return value;
}

function listOf(value: JsonValue | undefined, where: string): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new FieldError(`${where} is not a list`);
  return value as readonly JsonValue[];
}
