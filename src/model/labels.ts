/**
 * The labels of one series while it is being shaped: parallel arrays in the order of the series, changed in place and
 * used again for the next series. Used once a series, never once a sample.
 *
 * `origins[i]` is the place of label i among the labels that came in, or NEW when its name or value is not the one that
 * came: a label with an origin is later copied byte for byte, also where its bytes are no valid UTF-8.
 */
export const NEW = -1;

export class Labels {
  readonly names: string[] = [];
  readonly values: string[] = [];
  readonly origins: number[] = [];

  static of(pairs: readonly (readonly [name: string, value: string])[]): Labels {
    const labels = new Labels();
    for (const [index, [name, value]] of pairs.entries()) labels.push(name, value, index);
    return labels;
  }

  get length(): number {
    return this.names.length;
  }

  clear(): void {
    this.truncate(0);
  }

  push(name: string, value: string, origin = NEW): void {
    this.names.push(name);
    this.values.push(value);
    this.origins.push(origin);
  }

  /** Becomes the first `count` of these; the origins are their places. */
  assign(names: readonly string[], values: readonly string[], count: number): void {
    // Set to length 0 and filled again, an array gets new memory each time.
    this.truncate(Math.min(this.names.length, count));
    for (let index = 0; index < count; index++) {
      this.names[index] = names[index]!;
      this.values[index] = values[index]!;
      this.origins[index] = index;
    }
  }

  /** The place of the first label of this name; -1 when there is none. */
  indexOf(name: string): number {
    return this.names.indexOf(name);
  }

  /** The value of the first label of this name; empty when there is none. */
  get(name: string): string {
    const index = this.names.indexOf(name);
    return index < 0 ? '' : this.values[index]!;
  }

  /** Gives the first label of this name the value, or appends the label. */
  set(name: string, value: string): void {
    const index = this.names.indexOf(name);
    if (index < 0) this.push(name, value);
    else this.setAt(index, value);
  }

  /** As `set`, but the label is new even when it had the value. */
  overwrite(name: string, value: string): void {
    const index = this.names.indexOf(name);
    if (index < 0) {
      this.push(name, value);
      return;
    }
    this.values[index] = value;
    this.origins[index] = NEW;
  }

  /** Gives the label in this place the value. */
  setAt(index: number, value: string): void {
    if (this.values[index] === value) return;
    this.values[index] = value;
    this.origins[index] = NEW;
  }

  rename(index: number, name: string): void {
    if (this.names[index] === name) return;
    this.names[index] = name;
    this.origins[index] = NEW;
  }

  /** Keeps the labels that the test accepts, in their order. */
  filter(keep: (name: string, value: string, index: number) => boolean): void {
    const { names, values, origins } = this;
    let to = 0;
    for (let from = 0; from < names.length; from++) {
      if (!keep(names[from]!, values[from]!, from)) continue;
      if (to < from) {
        names[to] = names[from]!;
        values[to] = values[from]!;
        origins[to] = origins[from]!;
      }
      to++;
    }
    if (to < names.length) this.truncate(to);
  }

  truncate(length: number): void {
    this.names.length = length;
    this.values.length = length;
    this.origins.length = length;
  }

  /** By name, bytewise (as UTF-8 sorts); labels of one name stay in their order. */
  sort(): void {
    const { names, values, origins } = this;
    if (names.every((name, index) => index === 0 || compareBytes(names[index - 1]!, name) <= 0)) return;
    const order = names.map((_, index) => index).sort((a, b) => compareBytes(names[a]!, names[b]!));
    const before = order.map((index) => [names[index]!, values[index]!, origins[index]!] as const);
    for (const [index, [name, value, origin]] of before.entries()) {
      names[index] = name;
      values[index] = value;
      origins[index] = origin;
    }
  }

  copyFrom(other: Labels): void {
    const { length } = other;
    this.assign(other.names, other.values, length);
    for (let index = 0; index < length; index++) this.origins[index] = other.origins[index]!;
  }

  pairs(): [name: string, value: string][] {
    return this.names.map((name, index) => [name, this.values[index]!]);
  }

  /** As in the exposition format, for logs and pages. */
  toString(): string {
    const metric = this.get('__name__');
    const rest = this.pairs().filter(([name]) => name !== '__name__');
    if (rest.length === 0 && metric !== '') return metric;
    return `${metric}{${rest.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}}`;
  }
}

/** UTF-16 sorts like UTF-8 but for what lies beyond U+FFFF, which surrogates put before U+E000. */
function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit < 0xe000;
  return isSurrogate ? unit + 0x10000 : unit;
}
