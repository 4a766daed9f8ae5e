/**
 * The linear memory of one kernel instance: regions for the TypeScript side, and the typed views. One thread only.
 *
 * Memory never shrinks, and a page that was never written costs no RAM: large regions are cheap, touched ones stay.
 */
import { SluiceError } from '../util/error.ts';

const PAGE_BYTES = 65536;
/** The last page is never handed out, so that `pointer + small constant` cannot wrap around in the kernels. */
const GUARD_BYTES = PAGE_BYTES;
const SMALLEST_CLASS_BITS = 6;
/** Requests below 64 KiB take no part of a larger region. */
const SPLIT_BITS_MIN = 16;

export class KernelMemory {
  readonly #memory: WebAssembly.Memory;
  /** Freed regions by size class: `#free[k]` holds regions of 2^k bytes. */
  readonly #free: number[][] = Array.from({ length: 33 }, () => []);
  #end: number;
  #bytes!: Uint8Array<ArrayBuffer>;
  #u32!: Uint32Array;
  #i64!: BigInt64Array;
  #u64!: BigUint64Array;
  #f64!: Float64Array;

  /** `base` is where the static data of the kernels ends. */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    this.#end = Math.ceil(base / 16) * 16;
    this.#rebuild();
  }

  #rebuild(): void {
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#i64 = new BigInt64Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  // Views die with the next `alloc`: never keep one in a field or across an await.
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  u32(): Uint32Array {
    return this.#u32;
  }

  i64(): BigInt64Array {
    return this.#i64;
  }

  u64(): BigUint64Array {
    return this.#u64;
  }

  /** Only to compute: a value that is read and written again may lose the bits of a NaN. */
  f64(): Float64Array {
    return this.#f64;
  }

  /** The bytes of all regions that were ever handed out. */
  get allocatedBytes(): number {
    return this.#end;
  }

  /**
   * A region of at least `byteLength` bytes, aligned to 16; its content is undefined. Throws a SluiceError with code
   * KERNEL_MEMORY when the 4 GiB of WebAssembly or the memory of the machine are used up.
   */
  alloc(byteLength: number): number {
    const bits = classOf(byteLength);
    return this.#used(bits) ?? this.#bump(2 ** bits);
  }

  /** As `alloc`, filled with zeros. Fresh memory is zero already and is not touched. */
  allocZeroed(byteLength: number): number {
    const bits = classOf(byteLength);
    const used = this.#used(bits);
    if (used === undefined) return this.#bump(2 ** bits);
    this.#bytes.fill(0, used, used + 2 ** bits);
    return used;
  }

  /** Gives a region back for the next `alloc` of its size class; `byteLength` is what it was asked for with. */
  free(ptr: number, byteLength: number): void {
    this.#free[classOf(byteLength)]!.push(ptr);
  }

  /**
   * A region of 2^bits bytes that was freed, or a part of a larger one: tables that grow leave large ones behind. Small requests,
   * which are many, would leave nothing whole.
   */
  #used(bits: number): number | undefined {
    const whole = this.#free[bits]!.pop();
    if (whole !== undefined || bits < SPLIT_BITS_MIN) return whole;
    let larger = bits + 1;
    while (larger < this.#free.length && this.#free[larger]!.length === 0) larger++;
    const ptr = this.#free[larger]?.pop();
    if (ptr === undefined) return undefined;
    while (larger-- > bits) this.#free[larger]!.push(ptr + 2 ** larger);
    return ptr;
  }

  #bump(byteLength: number): number {
    const ptr = this.#end;
    const missing = ptr + byteLength + GUARD_BYTES - this.#bytes.byteLength;
    if (missing > 0) this.#grow(Math.ceil(missing / PAGE_BYTES), byteLength);
    this.#end = ptr + byteLength;
    return ptr;
  }

  #grow(pages: number, byteLength: number): void {
    try {
      this.#growRoomily(pages);
    } catch (cause) {
      throw new SluiceError(
        'KERNEL_MEMORY',
        `cannot allocate ${byteLength} bytes at the ${this.#end} bytes in use of the kernel memory: it cannot grow; lower -remoteWrite.maxBlockSize, -remoteWrite.queues or -maxInsertRequestSize`,
        { cause },
      );
    }
    this.#rebuild();
  }

  /** Every growth makes all views anew, so it is by an eighth at least where that is to be had. */
  #growRoomily(pages: number): void {
    const roomy = Math.ceil(this.#bytes.byteLength / PAGE_BYTES / 8);
    if (roomy > pages) {
      try {
        this.#memory.grow(roomy);
        return;
      } catch {
        // Just what is needed, then.
      }
    }
    this.#memory.grow(pages);
  }
}

/** A region that grows when more is needed than it has; what was in it is gone then. */
export class Region {
  readonly #memory: KernelMemory;
  #ptr = 0;
  #byteLength = 0;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
  }

  get ptr(): number {
    return this.#ptr;
  }

  /** What it has: all of the memory that was taken for it. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Makes room; returns where the region begins from now on. */
  reserve(byteLength: number): number {
    if (byteLength <= this.#byteLength) return this.#ptr;
    // Empty until the new region is there: `alloc` may throw, and the old one is no longer ours.
    this.free();
    this.#ptr = this.#memory.alloc(byteLength);
    this.#byteLength = 2 ** classOf(byteLength);
    return this.#ptr;
  }

  /** Gives the memory back; `reserve` takes new one. */
  free(): void {
    if (this.#byteLength > 0) this.#memory.free(this.#ptr, this.#byteLength);
    this.#byteLength = 0;
  }
}

/** Sizes are powers of two, so that a region that was freed serves every size of its class. */
function classOf(byteLength: number): number {
  if (byteLength > 2 ** 31) return 32;
  return Math.max(SMALLEST_CLASS_BITS, 32 - Math.clz32(Math.max(1, byteLength) - 1));
}
