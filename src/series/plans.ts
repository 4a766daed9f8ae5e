/**
 * Plans: what becomes of a series, by its ref. Decided once a series, followed by the kernels for every sample; the
 * layout of a plan is in `kernel/assembly/plan.ts`. Engine thread only.
 *
 * A plan takes 4 bytes when nothing about it is special to the series (it goes on unchanged, or is dropped), else some
 * 64 to 256 bytes: not the labels, but how they come out of those that came in.
 */
import type { Columns, Kernel, PlanView } from '../kernel/kernel.ts';
import type { Labels } from '../model/labels.ts';
import type { LabelReader } from './label-reader.ts';

/** The labels of a form: unchanged (suffix labels behind them), none at all, or these. */
export type Form = 'as-it-came' | 'none' | Labels;

export interface Decision {
  /** Number in `drops` of model/drops.ts; 0: it goes on. */
  verdict: number;
  /** Why its samples go to no destination although it does: a number from HELD_BACK on; 0: they do. */
  heldBack: number;
  /** The shards that get it. */
  owners: number[];
  /** One a form that destinations see it in. */
  forms: Form[];
  /** One a form: index into `fates` of model/drops.ts. */
  fates: number[];
}

const AS_IT_CAME = 0;
const NONE = 1;
const VERDICT_BITS = 8;
const LITERAL = 0x80000000;
const SHARD_WORD_BITS = 32;
const FIRST_REFS = 1024;
/** Tag and length of a field, twice, before the text, at their shortest. */
const SHORT_VARINT_MAX = 127;
const LABEL_OVERHEAD_BYTES = 24;
const LOOP_LENGTH_MAX = 64;
const LITERALS_KEPT_MAX = 256;
const LITERAL_KEPT_BYTES_MAX = 256;
/** Plans that differ by owners alone are shared; beyond this many, each series has its own. */
const SHARED_MAX = 65_536;

export class Plans {
  readonly #kernel: Kernel;
  readonly #reader: LabelReader;
  readonly #headWords: number;
  readonly #ownerWords: number;
  #column = { ptr: 0, refs: 0 };
  /** By ref: the size of the plan that belongs to this series alone, as a power of two; 0 for none. */
  #sizes = new Uint8Array(0);
  readonly #shared = new Map<string, number>();
  /** Of series without a ref; they live until the next body. */
  readonly #passing: { ptr: number; bytes: number }[] = [];
  #scratch = scratchOf(64 * 1024);
  readonly #steps: number[] = [];
  /** The field that was written last for a name: series that follow each other have most of them in common. */
  readonly #literals = new Map<string, { readonly value: string; readonly bytes: Uint8Array }>();
  #end = 0;
  #bytes = 0;

  /** `shards` 0: every destination gets everything. `forms`: the number of different label forms. */
  constructor(kernel: Kernel, reader: LabelReader, { shards, forms }: { shards: number; forms: number }) {
    this.#kernel = kernel;
    this.#reader = reader;
    this.#ownerWords = Math.ceil(shards / SHARD_WORD_BITS);
    this.#headWords = 1 + this.#ownerWords + forms;
  }

  /** Bytes of linear memory that plans take. */
  get byteLength(): number {
    return this.#bytes + this.#column.refs * 4;
  }

  /** Where the kernels find what a destination gets. */
  view(form: number, shard: number | undefined): PlanView {
    return {
      ownerAt: 4 + 4 * Math.floor((shard ?? 0) / SHARD_WORD_BITS),
      ownerBit: shard === undefined ? 0 : (1 << (shard % SHARD_WORD_BITS)) >>> 0,
      formAt: 4 * (1 + this.#ownerWords + form),
    };
  }

  /** Gives the rows of a scan their plans; returns the number of those that have none yet: `columns.missing(n)`. */
  gather(columns: Columns): number {
    for (const { ptr, bytes } of this.#passing) this.#free(ptr, bytes);
    this.#passing.length = 0;
    return columns.gatherPlans(this.#column.ptr, this.#column.refs);
  }

  /** The plan of a ref; 0 when there is none. */
  get(ref: number): number {
    return ref < this.#column.refs ? this.#kernel.memory.u32()[this.#column.ptr / 4 + ref]! : 0;
  }

  /** Keeps a plan for a series whose labels `reader` read last. `ref` undefined: only for the body at hand. */
  add(ref: number | undefined, decision: Decision, labelCount: number): number {
    const shared = sharedKey(decision);
    if (shared !== undefined) {
      const known = this.#shared.get(shared);
      if (known !== undefined || this.#shared.size < SHARED_MAX) {
        const ptr = known ?? this.#write(decision, labelCount).ptr;
        if (known === undefined) this.#shared.set(shared, ptr);
        if (ref !== undefined) this.#set(ref, ptr, 0);
        return ptr;
      }
    }
    const { ptr, bytes } = this.#write(decision, labelCount);
    if (ref === undefined) this.#passing.push({ ptr, bytes });
    else this.#set(ref, ptr, sizeOf(bytes));
    return ptr;
  }

  /** These refs will be given to other series. */
  forget(refs: Uint32Array): void {
    for (const ref of refs) {
      if (ref >= this.#column.refs) continue;
      this.#release(ref);
      this.#kernel.memory.u32()[this.#column.ptr / 4 + ref] = 0;
    }
  }

  /** Forgets everything, and gives the memory back. */
  clear(): void {
    for (let ref = 0; ref < this.#column.refs; ref++) this.#release(ref);
    const start = this.#column.ptr / 4;
    this.#kernel.memory.u32().fill(0, start, start + this.#column.refs);
  }

  /** As `clear`; not used any more afterwards. */
  close(): void {
    this.clear();
    const bytes = 4 * this.#headWords;
    for (const ptr of this.#shared.values()) this.#free(ptr, regionBytes(bytes));
    this.#shared.clear();
    if (this.#column.refs > 0) this.#kernel.memory.free(this.#column.ptr, this.#column.refs * 4);
    this.#column = { ptr: 0, refs: 0 };
  }

  #release(ref: number): void {
    const size = this.#sizes[ref]!;
    if (size === 0) return;
    this.#free(this.get(ref), 2 ** size);
    this.#sizes[ref] = 0;
  }

  #free(ptr: number, bytes: number): void {
    this.#kernel.memory.free(ptr, bytes);
    this.#bytes -= bytes;
  }

  #set(ref: number, ptr: number, size: number): void {
    if (ref >= this.#column.refs) this.#grow(ref + 1);
    this.#release(ref);
    this.#kernel.memory.u32()[this.#column.ptr / 4 + ref] = ptr;
    this.#sizes[ref] = size;
  }

  #grow(refs: number): void {
    const { memory } = this.#kernel;
    const roomy = Math.max(FIRST_REFS, 2 ** Math.ceil(Math.log2(refs)));
    const ptr = memory.allocZeroed(roomy * 4);
    const { ptr: before, refs: count } = this.#column;
    if (count > 0) {
      memory.bytes().copyWithin(ptr, before, before + count * 4);
      memory.free(before, count * 4);
    }
    this.#column = { ptr, refs: roomy };
    const sizes = new Uint8Array(roomy);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
  }

  #write(
    { verdict, heldBack, owners, forms, fates }: Decision,
    labelCount: number,
  ): { ptr: number; bytes: number } {
    const head = this.#headWords;
    const words = this.#scratch.words;
    words.fill(0, 0, head);
    words[0] = verdict + (heldBack << VERDICT_BITS);
    for (const owner of owners) {
      const at = 1 + Math.floor(owner / SHARD_WORD_BITS);
      words[at] = (words[at]! | (1 << (owner % SHARD_WORD_BITS))) >>> 0;
    }
    this.#end = head * 4;
    const firstForm = 1 + this.#ownerWords;
    const patches: number[] = [];
    for (let index = 0; index < forms.length; index++) {
      const form = forms[index]!;
      const same = forms.indexOf(form);
      patches[index] =
        typeof form === 'string'
          ? AS_IT_CAME
          : same < index
            ? patches[same]!
            : this.#writePatch(form, labelCount);
      const fate = form === 'none' ? NONE : fates[index]! === 0 ? 0 : NONE + fates[index]!;
      this.#scratch.words[firstForm + index] = patches[index]! + fate;
    }
    return this.#keep();
  }

  /** Moves the record from the scratch memory to a region of its own. */
  #keep(): { ptr: number; bytes: number } {
    const bytes = regionBytes(this.#end);
    const ptr = this.#kernel.memory.alloc(bytes);
    this.#bytes += bytes;
    const { words } = this.#scratch;
    const target = this.#kernel.memory.u32();
    const count = (this.#end + 3) >> 2;
    // Faster than `set` with a view of its own for the few dozen words that a plan has.
    for (let word = 0, at = ptr >>> 2; word < count; word++, at++) target[at] = words[word]!;
    return { ptr, bytes };
  }

  /** Literals first, then the steps; returns where the patch begins. */
  #writePatch({ names, values, origins }: Labels, labelCount: number): number {
    const steps = this.#steps;
    let stepWords = 0;
    let total = 0;
    /** Where the last step ends, and what kind it is, if the next label can go on with it. */
    let nextFrom = -1;
    let lastFlag = 0;
    for (let index = 0; index < names.length; index++) {
      const origin = origins[index]!;
      const isCopy = origin >= 0 && origin < labelCount;
      const flag = isCopy ? 0 : LITERAL;
      const from = isCopy ? this.#reader.fieldAt(origin) : this.#end;
      const length = isCopy
        ? this.#reader.fieldLength(origin)
        : this.#writeLabel(names[index]!, values[index]!);
      if (nextFrom === from && lastFlag === flag) steps[stepWords - 1]! += length;
      else {
        steps[stepWords++] = from;
        steps[stepWords++] = length + flag;
      }
      nextFrom = from + length;
      lastFlag = flag;
      total += length;
    }
    this.#end = (this.#end + 7) & ~7;
    const patch = this.#end;
    this.#need((3 + stepWords) * 4);
    const { words } = this.#scratch;
    let at = patch >> 2;
    words[at++] = names.length;
    words[at++] = total;
    words[at++] = stepWords / 2;
    for (let word = 0; word < stepWords; word++) words[at++] = steps[word]!;
    this.#end = at * 4;
    return patch;
  }

  /** Writes a label field, without empty strings as the canonical form wants it; returns its length. */
  #writeLabel(name: string, value: string): number {
    this.#need(LABEL_OVERHEAD_BYTES + 3 * (name.length + value.length));
    const known = this.#literals.get(name);
    if (known?.value === value) return this.#append(known.bytes);
    const start = this.#end;
    const length = this.#encodeLabel(name, value);
    if (length > LITERAL_KEPT_BYTES_MAX) return length;
    if (this.#literals.size >= LITERALS_KEPT_MAX) this.#literals.clear();
    this.#literals.set(name, {
      value,
      bytes: Uint8Array.from(this.#scratch.bytes.subarray(start, start + length)),
    });
    return length;
  }

  #append(literal: Uint8Array): number {
    const { bytes } = this.#scratch;
    let at = this.#end;
    for (let index = 0; index < literal.length; index++) bytes[at++] = literal[index]!;
    this.#end = at;
    return literal.length;
  }

  #encodeLabel(name: string, value: string): number {
    const start = this.#end;
    this.#end = start + 2;
    if (name !== '') this.#writeText(0x0a, name);
    if (value !== '') this.#writeText(0x12, value);
    this.#closeField(0x0a, start);
    return this.#end - start;
  }

  #writeText(tag: number, text: string): void {
    const start = this.#end;
    const { bytes } = this.#scratch;
    let at = start + 2;
    let index = 0;
    // A call into the runtime costs as much as some fifty characters.
    if (text.length <= LOOP_LENGTH_MAX) {
      for (; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        if (unit > 127) break;
        bytes[at++] = unit;
      }
    }
    this.#end = index === text.length ? at : start + 2 + bytes.write(text, start + 2);
    this.#closeField(tag, start);
  }

  /** Puts tag and length before what was written from `start + 2` on, and makes room for a longer length. */
  #closeField(tag: number, start: number): void {
    const { bytes } = this.#scratch;
    let length = this.#end - start - 2;
    bytes[start] = tag;
    let at = start + 1;
    if (length > SHORT_VARINT_MAX) {
      const more = Math.floor(Math.log2(length) / 7);
      bytes.copyWithin(start + 2 + more, start + 2, this.#end);
      this.#end += more;
      for (; length > SHORT_VARINT_MAX; length = Math.floor(length / 128)) bytes[at++] = (length & 127) | 128;
    }
    bytes[at] = length;
  }

  #need(byteLength: number): void {
    if (this.#end + byteLength <= this.#scratch.bytes.byteLength) return;
    const larger = scratchOf((this.#end + byteLength) * 2);
    larger.bytes.set(this.#scratch.bytes.subarray(0, this.#end));
    this.#scratch = larger;
  }
}

interface Scratch {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

function scratchOf(byteLength: number): Scratch {
  const memory = new ArrayBuffer((byteLength + 3) & ~3);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) };
}

/** What a region of this many bytes really takes; regions are powers of two. */
function regionBytes(bytes: number): number {
  return 2 ** sizeOf(bytes);
}

/** The power of two that is large enough. */
function sizeOf(bytes: number): number {
  return Math.max(6, 32 - Math.clz32(bytes - 1));
}

/** Equal for decisions whose plans are equal; undefined when the labels are its own. */
function sharedKey({ verdict, heldBack, owners, forms, fates }: Decision): string | undefined {
  if (verdict !== 0) return `${verdict}`;
  let key = heldBack === 0 ? '' : `${heldBack}`;
  for (let index = 0; index < forms.length; index++) {
    const form = forms[index]!;
    if (typeof form !== 'string') return undefined;
    key += form === 'none' ? 'n' : 'abcd'[fates[index]!]!;
  }
  return owners.length === 0 ? key : `${key}${owners.join(',')}`;
}
