/**
 * Plans: what becomes of a series, by its ref. Decided once a series, followed by the kernels for every sample; the
 * layout of a plan is in `kernel/assembly/plan.ts`. Engine thread only.
 *
 * A plan says how labels come out of those that came in, not what they are: series for which that is the same share
 * one. So most series take 4 bytes, and those that no other is like 64 to 256.
 */
import type { Columns, Kernel, PlanView } from '../kernel/kernel.ts';
import { drops, type Verdict } from '../model/drops.ts';
import type { Labels } from '../model/labels.ts';

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
/** Equal plans are found among the last so many. */
const SHARED_MAX = 65_536;
/** In `kernel/assembly/plan.ts`. */
const COPIED_LABELS_MAX = 1024;
/** In front of a plan: how many refer to it, its bytes with this head, the hash of its words. */
const HEAD_BYTES = 16;
const REFERENCES = 4;
const BYTES = 3;
const HASH = 2;

export class Plans {
  readonly #kernel: Kernel;
  readonly #headWords: number;
  readonly #ownerWords: number;
  #column = { ptr: 0, refs: 0 };
  /** By the hash of their words. */
  #shared = new Map<number, number>();
  /** Referred to until the next body. */
  readonly #passing: number[] = [];
  #scratch = scratchOf(64 * 1024);
  readonly #steps: number[] = [];
  /** The field that was written last for a name: series that follow each other have most of them in common. */
  readonly #literals = new Map<string, { readonly value: string; readonly bytes: Uint8Array }>();
  #end = 0;
  #bytes = 0;

  /** `shards` 0: every destination gets everything. `forms`: the number of different label forms. */
  constructor(kernel: Kernel, { shards, forms }: { shards: number; forms: number }) {
    this.#kernel = kernel;
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
    for (const ptr of this.#passing) this.release(ptr);
    this.#passing.length = 0;
    return columns.gatherPlans(this.#column.ptr, this.#column.refs);
  }

  /** The plan of a ref; 0 when there is none. */
  get(ref: number): number {
    return ref < this.#column.refs ? this.#kernel.memory.u32()[this.#column.ptr / 4 + ref]! : 0;
  }

  /** Where the plans are by ref, for the kernels; `reserve` makes room. */
  get column(): { readonly ptr: number; readonly refs: number } {
    return this.#column;
  }

  /** What the plan says first: whether the series is dropped, and why. */
  verdictOf(ptr: number): Verdict {
    return drops[this.#kernel.memory.u32()[ptr / 4]! % 2 ** VERDICT_BITS]!;
  }

  /** Keeps a plan for a series whose labels `reader` read last. `ref` undefined: only for the body at hand. */
  add(ref: number | undefined, decision: Decision, labelCount: number): number {
    const ptr = this.#write(decision, labelCount);
    if (ref === undefined) this.pass(ptr);
    else this.#set(ref, ptr);
    return ptr;
  }

  /** One more refers to the plan. */
  keep(ptr: number): void {
    this.#kernel.memory.u32()[ptr / 4 - REFERENCES]!++;
  }

  /** One less refers to the plan. */
  release(ptr: number): void {
    const words = this.#kernel.memory.u32();
    const at = ptr / 4;
    words[at - REFERENCES]!--;
    if (words[at - REFERENCES] !== 0) return;
    const hash = words[at - HASH]!;
    if (this.#shared.get(hash) === ptr) this.#shared.delete(hash);
    const bytes = words[at - BYTES]!;
    this.#bytes -= regionBytes(bytes);
    this.#kernel.memory.free(ptr - HEAD_BYTES, bytes);
  }

  /** A reference that is counted already ends when the body at hand is done with. */
  pass(ptr: number): void {
    this.#passing.push(ptr);
  }

  /** These refs will be given to other series. */
  forget(refs: Uint32Array): void {
    for (const ref of refs) if (ref < this.#column.refs) this.#unset(ref);
  }

  /** Forgets everything, and gives the memory back. */
  clear(): void {
    for (let ref = 0; ref < this.#column.refs; ref++) this.#unset(ref);
  }

  /** As `clear`; not used any more afterwards. */
  close(): void {
    this.clear();
    for (const ptr of this.#passing) this.release(ptr);
    this.#passing.length = 0;
    if (this.#column.refs > 0) this.#kernel.memory.free(this.#column.ptr, this.#column.refs * 4);
    this.#column = { ptr: 0, refs: 0 };
  }

  #unset(ref: number): void {
    const words = this.#kernel.memory.u32();
    const at = this.#column.ptr / 4 + ref;
    const ptr = words[at]!;
    words[at] = 0;
    if (ptr !== 0) this.release(ptr);
  }

  #set(ref: number, ptr: number): void {
    this.reserve(ref);
    this.#unset(ref);
    this.#kernel.memory.u32()[this.#column.ptr / 4 + ref] = ptr;
  }

  /** Makes room for the plan of this ref. */
  reserve(ref: number): void {
    if (ref >= this.#column.refs) this.#grow(ref + 1);
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
  }

  /** The plan, with one more reference. */
  #write({ verdict, heldBack, owners, forms, fates }: Decision, labelCount: number): number {
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

  /** An equal plan that there is, or a new one of what the scratch memory holds. */
  #keep(): number {
    const { words } = this.#scratch;
    const count = this.#end / 4;
    let hash = count;
    for (let word = 0; word < count; word++) {
      hash = Math.imul(hash ^ words[word]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash >>>= 0;
    const known = this.#shared.get(hash);
    if (known !== undefined && this.#isSame(known, count)) {
      this.keep(known);
      return known;
    }
    const bytes = HEAD_BYTES + count * 4;
    const ptr = this.#kernel.memory.alloc(bytes) + HEAD_BYTES;
    this.#bytes += regionBytes(bytes);
    const target = this.#kernel.memory.u32();
    const start = ptr / 4;
    target[start - REFERENCES] = 1;
    target[start - BYTES] = bytes;
    target[start - HASH] = hash;
    // Faster than `set` with a view of its own for the few dozen words that a plan has.
    for (let word = 0, at = start; word < count; word++, at++) target[at] = words[word]!;
    if (this.#shared.size >= SHARED_MAX) this.#shared = new Map();
    this.#shared.set(hash, ptr);
    return ptr;
  }

  #isSame(ptr: number, count: number): boolean {
    const known = this.#kernel.memory.u32();
    const start = ptr / 4;
    if (known[start - BYTES] !== HEAD_BYTES + count * 4) return false;
    const { words } = this.#scratch;
    for (let word = 0, at = start; word < count; word++, at++) if (known[at] !== words[word]) return false;
    return true;
  }

  /** Literals first, then the steps; returns where the patch begins. */
  #writePatch({ names, values, origins }: Labels, labelCount: number): number {
    const steps = this.#steps;
    let stepWords = 0;
    let literalBytes = 0;
    /** Where the last step ends, and what kind it is, if the next label can go on with it. */
    let nextFrom = -1;
    let lastFlag = 0;
    const copiedMax = Math.min(labelCount, COPIED_LABELS_MAX);
    for (let index = 0; index < names.length; index++) {
      const origin = origins[index]!;
      const isCopy = origin >= 0 && origin < copiedMax;
      const flag = isCopy ? 0 : LITERAL;
      const from = isCopy ? origin : this.#end;
      const amount = isCopy ? 1 : this.#writeLabel(names[index]!, values[index]!);
      if (!isCopy) literalBytes += amount;
      if (nextFrom === from && lastFlag === flag) steps[stepWords - 1]! += amount;
      else {
        steps[stepWords++] = from;
        steps[stepWords++] = amount + flag;
      }
      nextFrom = from + amount;
      lastFlag = flag;
    }
    const literalEnd = this.#end;
    this.#end = (literalEnd + 7) & ~7;
    const patch = this.#end;
    this.#need((3 + stepWords) * 4);
    for (let at = literalEnd; at < patch; at++) this.#scratch.bytes[at] = 0;
    const { words } = this.#scratch;
    let at = patch >> 2;
    words[at++] = names.length;
    words[at++] = literalBytes;
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
  return 2 ** Math.max(6, 32 - Math.clz32(bytes - 1));
}
