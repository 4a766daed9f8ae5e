/**
 * Objects of JSON with fields of known types, as Go reads them into structs: names in any case, the last one counts, what is
 * missing or null is empty, and any other type is an error.
 */
export class FieldError extends Error {}

/** Throws a FieldError when the text is not JSON or not an object. */
export function parseFields(bytes: Uint8Array): Fields {
  let root: unknown;
  try {
    root = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    throw new FieldError('it is not JSON');
  }
  return new Fields(root, 'the body');
}

/** Every method throws a FieldError that says where. */
export class Fields {
  readonly #where: string;
  readonly #values = new Map<string, unknown>();

  constructor(value: unknown, where: string) {
    this.#where = where;
    if (value === null) return;
    if (typeof value !== 'object' || Array.isArray(value)) throw new FieldError(`${where} is not an object`);
    for (const [name, field] of Object.entries(value)) this.#values.set(name.toLowerCase(), field);
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

  list(name: string): readonly unknown[] {
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

function textOf(value: unknown, where: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new FieldError(`${where} is not a text`);
  return value;
}

function finiteOf(value: unknown, where: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new FieldError(`${where} is not a number`);
  return value;
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new FieldError(`${where} is not a list`);
  return value;
}
