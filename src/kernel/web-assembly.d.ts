/** The part of the WebAssembly JavaScript API that is used; neither ES2024 nor @types/node declares it. */
declare namespace WebAssembly {
  /** Compiled code; can be posted to worker threads. */
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  const Module: { new (bytes: Uint8Array<ArrayBuffer>): Module };

  interface Memory {
    readonly buffer: ArrayBuffer;
    /** Grows by pages of 64 KiB and detaches `buffer`; throws a RangeError when it cannot. */
    grow(pages: number): number;
  }

  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  const Instance: { new (module: Module): Instance };
}
