/**
 * Plans by outline: what is decided about a series holds for all that have the same label names, and the same values where
 * rules look at values. Targets that come anew bring hundreds of series of a few outlines, so the decision, made of texts,
 * is taken once for each outline; the rest is in `kernel/assembly/outline.ts`. Engine thread only.
 *
 * Bounded: when there are too many names, values and outlines, all are forgotten and begin anew. The owner has them
 * forgotten when series go, and when plans take too much memory.
 */
import { randomBytes } from 'node:crypto';
import type { Columns, Identity, Kernel } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import type { Plans } from './plans.ts';

/** What a decision depends on besides the names of the labels. */
export interface Looked {
  /** Whether the value of a label of this name counts, or only what `classOf` says of it. */
  readonly kindOf: (name: string) => 'passed' | 'read' | 'tested';
  /** Equal for values of a tested label that no rule tells apart. */
  readonly classOf: (name: string, value: string) => string;
  /** Texts that take more bytes as UTF-8 count, of whatever label; undefined: there is no such length. */
  readonly valueBytesMax: number | undefined;
}

const SLOTS = 2 ** 16;
const SLOT_BYTES = 32;
/** Beyond half of the slots searches become long. */
const ITEMS_MAX = SLOTS / 2;
const KEYS_BYTES = 48;
const PLACES_MAX = 256;
const PLACE_BYTES = 24;
const FIRST_SCRATCH_BYTES = 16 * 1024;

/** Words of the region that the kernel finds everything by. */
const KNOWN = {
  entries: 0,
  mask: 1,
  keys: 2,
  scratch: 3,
  scratchBytes: 4,
  places: 5,
  placeCount: 6,
  valueBytesMax: 7,
  begun: 8,
} as const;
const KNOWN_BYTES = 64;

const kinds = ['passed', 'read', 'tested'] as const;
/** The word of a name is its number in such steps, and its kind. */
const WORD_STEP = 8;
/** A name that comes back after all were forgotten has another number, so that nothing is taken for what it was. */
const NUMBERS_MAX = 2 ** 32 / WORD_STEP;
const status = {
  done: 0,
  newName: 1,
  newValue: 2,
  newOutline: 3,
  newRef: 4,
  scratchFull: 5,
  tooManyLabels: 6,
} as const;

export class Outlines {
  readonly #kernel: Kernel;
  readonly #looked: Looked;
  readonly #plans: Plans;
  readonly #known: number;
  readonly #scratch: Region;
  readonly #itemsMax: number;
  #items = 0;
  /** Plans that are referred to from the table. */
  #planned: number[] = [];
  /** By word: the names that have tests. */
  readonly #tested = new Map<number, string>();
  readonly #classes = new Map<string, number>();
  #numbers = 0;
  #classNumbers = 0;
  /** The series that `plan` stopped at has no outline. */
  #isAlone = false;

  constructor(kernel: Kernel, plans: Plans, looked: Looked, itemsMax = ITEMS_MAX) {
    this.#kernel = kernel;
    this.#plans = plans;
    this.#looked = looked;
    this.#itemsMax = itemsMax;
    const { memory } = kernel;
    this.#known = memory.allocZeroed(KNOWN_BYTES);
    const keys = memory.alloc(KEYS_BYTES);
    memory.bytes().set(randomBytes(KEYS_BYTES), keys);
    this.#set('entries', memory.allocZeroed(SLOTS * SLOT_BYTES));
    this.#set('mask', SLOTS - 1);
    this.#set('keys', keys);
    this.#scratch = new Region(kernel.memory);
    this.#growScratch(FIRST_SCRATCH_BYTES);
    this.#set('places', memory.alloc(PLACES_MAX * PLACE_BYTES));
    this.#set('valueBytesMax', looked.valueBytesMax ?? 0);
  }

  /** For a body that was scanned anew. */
  begin(): void {
    this.#set('placeCount', 0);
    this.#set('begun', 0);
  }

  /**
   * Gives the series `columns.missing(from)` and those after it their plans, up to the first whose outline is not known;
   * returns where that one is, or `count`. `keeps`: the plans are kept by ref. `added`: labels from outside.
   */
  plan(columns: Columns, from: number, count: number, keeps: boolean, added: Identity): Planned {
    let next = from;
    let dropped = 0;
    for (;;) {
      next = columns.planByOutline(this.#known, next, count, this.#plans.column, keeps, added);
      const kernel = this.#kernel;
      const [why, a, b, c] = [kernel.result(0), kernel.result(1), kernel.result(2), kernel.result(3)];
      dropped += kernel.result(4);
      switch (why) {
        case status.newName:
          this.#addName(this.#text(a, b));
          break;
        case status.newValue:
          this.#addValue(c, this.#text(a, b));
          break;
        case status.newRef:
          this.#plans.reserve(a);
          break;
        case status.scratchFull:
          this.#growScratch(a);
          break;
        default:
          this.#isAlone = why === status.tooManyLabels;
          return { next, dropped };
      }
    }
  }

  /** The plan of the series that `plan` stopped at. */
  remember(plan: number): void {
    if (this.#isAlone) return;
    // First: it may have all others forgotten.
    this.#add(plan);
    this.#plans.keep(plan);
    this.#planned.push(plan);
  }

  /** Lets go of all plans: some may be of outlines that no series has any more. */
  forget(): void {
    if (this.#planned.length > 0) this.#forget();
  }

  /** Not used any more afterwards. */
  close(): void {
    this.forget();
    const { memory } = this.#kernel;
    memory.free(this.#get('entries'), SLOTS * SLOT_BYTES);
    memory.free(this.#get('keys'), KEYS_BYTES);
    this.#scratch.free();
    memory.free(this.#get('places'), PLACES_MAX * PLACE_BYTES);
    memory.free(this.#known, KNOWN_BYTES);
  }

  #addName(name: string): void {
    this.#numbers = (this.#numbers % (NUMBERS_MAX - 1)) + 1;
    const kind = this.#looked.kindOf(name);
    const word = this.#numbers * WORD_STEP + kinds.indexOf(kind);
    this.#add(word);
    if (kind === 'tested') this.#tested.set(word, name);
  }

  #addValue(word: number, value: string): void {
    const text = this.#looked.classOf(this.#tested.get(word)!, value);
    let number = this.#classes.get(text);
    if (number === undefined) {
      number = ++this.#classNumbers;
      this.#classes.set(text, number);
    }
    this.#add(number);
  }

  #add(item: number): void {
    if (this.#items >= this.#itemsMax) this.#forget();
    this.#items++;
    this.#kernel.exports.rememberOutline(this.#known, item);
  }

  #forget(): void {
    const entries = this.#get('entries');
    this.#kernel.memory.bytes().fill(0, entries, entries + SLOTS * SLOT_BYTES);
    this.#items = 0;
    this.#tested.clear();
    this.#classes.clear();
    this.begin();
    // Rows of the body at hand may have them without keeping them.
    for (const plan of this.#planned) this.#plans.pass(plan);
    this.#planned = [];
  }

  #growScratch(byteLength: number): void {
    this.#set('scratch', this.#scratch.reserve(byteLength));
    this.#set('scratchBytes', this.#scratch.byteLength);
  }

  #text(ptr: number, length: number): string {
    const { buffer } = this.#kernel.memory.bytes();
    return Buffer.from(buffer, ptr, length).toString('utf8');
  }

  #get(name: keyof typeof KNOWN): number {
    return this.#kernel.memory.u32()[this.#known / 4 + KNOWN[name]]!;
  }

  #set(name: keyof typeof KNOWN, value: number): void {
    this.#kernel.memory.u32()[this.#known / 4 + KNOWN[name]] = value;
  }
}

export interface Planned {
  readonly next: number;
  /** How many of the series that got a plan are dropped by it. */
  readonly dropped: number;
}
