/**
 * Takes the compression off a body: snappy or zstd, with a bound on what comes out. The message lies where the owner wants
 * it. Engine thread only.
 */
import { constants, zstdDecompressSync } from 'node:zlib';
import type { Kernel } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import { type BodyEncoding, ZSTD_WINDOW_LOG_MAX } from '../model/body.ts';
import { copyBytes } from '../util/copy-bytes.ts';
import { messageOf } from '../util/error.ts';
import { freeOwned } from '../util/free-buffer.ts';

/** Bodies that shrank by no more than this are decoded in one piece, which is given back at once. */
const ZSTD_RATIO_COMMON = 32;

/** What is wrong with a body, for the client. */
export interface Flaw {
  readonly status: 400 | 413;
  readonly reason: 'malformed' | 'too_large';
  readonly error: string;
}

/** A decoded body: where the message lies, and where its snappy elements lie if it came as snappy. */
export interface Decoded {
  readonly rawPtr: number;
  readonly rawLength: number;
  readonly elementsPtr: number;
  readonly elementsLength: number;
  /** Present when some of the message may be only in the elements: writes it. Nobody reads the message before. */
  readonly write?: (() => void) | undefined;
}

export class BodyDecoder {
  readonly #kernel: Kernel;
  readonly #bytesMax: number;
  /** Where a message of this length goes. */
  readonly #target: (rawLength: number) => number;
  readonly #input: Region;

  /** It puts what comes in where `before` did: only what came last of either is there. */
  constructor(kernel: Kernel, bytesMax: number, target: (rawLength: number) => number, before?: BodyDecoder) {
    this.#kernel = kernel;
    this.#bytesMax = bytesMax;
    this.#target = target;
    this.#input = before === undefined ? new Region(kernel.memory) : before.#input;
  }

  /** `wire` is only read during the call. */
  decode(wire: Uint8Array, encoding: BodyEncoding): Decoded | Flaw {
    if (wire.byteLength > this.#bytesMax) return this.#tooLarge('the body', wire.byteLength);
    if (encoding === 'zstd-or-snappy') {
      const zstd = this.#decodeZstd(wire);
      if (!('error' in zstd) || zstd.status === 413) return zstd;
      const snappy = this.#decodeSnappy(wire);
      return 'error' in snappy && snappy.status === 400 ? zstd : snappy;
    }
    const snappy = this.#decodeSnappy(wire);
    if (!('error' in snappy) || !looksLikeZstd(wire)) return snappy;
    return this.#decodeZstd(wire);
  }

  #decodeSnappy(wire: Uint8Array): Decoded | Flaw {
    const src = this.#input.reserve(wire.byteLength);
    copyBytes(this.#kernel.memory.bytes(), src, wire);
    const rawLength = this.#kernel.snappyDecodedLength(src, wire.byteLength);
    if (rawLength < 0) return malformed('cannot decode snappy body: it does not begin with a length');
    if (rawLength > this.#bytesMax) return this.#tooLarge('the decoded body', rawLength);
    const target = this.#target(rawLength);
    if (this.#kernel.snappyDecode(src, wire.byteLength, target, rawLength) !== rawLength) {
      return malformed(`cannot decode snappy body: ${this.#kernel.snappyError()}`);
    }
    const preamble = wire.findIndex((byte) => byte < 128) + 1;
    return {
      rawPtr: target,
      rawLength,
      elementsPtr: src + preamble,
      elementsLength: wire.byteLength - preamble,
    };
  }

  #decodeZstd(wire: Uint8Array): Decoded | Flaw {
    let message: Buffer;
    const chunkSize = Math.max(64, Math.min(wire.byteLength * ZSTD_RATIO_COMMON, this.#bytesMax));
    try {
      message = zstdDecompressSync(wire, {
        chunkSize,
        maxOutputLength: this.#bytesMax,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        return this.#tooLarge('the decoded body');
      }
      return malformed(`cannot decode zstd body: ${messageOf(error)}`);
    }
    const decoded = this.place(message);
    freeOwned(message, chunkSize);
    return decoded;
  }

  /** Puts a message into linear memory. */
  place(message: Uint8Array): Decoded {
    const rawPtr = this.#target(message.byteLength);
    this.#kernel.memory.bytes().set(message, rawPtr);
    return { rawPtr, rawLength: message.byteLength, elementsPtr: 0, elementsLength: 0 };
  }

  #tooLarge(what: string, byteLength?: number): Flaw {
    const size = byteLength === undefined ? 'more' : `${byteLength} bytes`;
    return {
      status: 413,
      reason: 'too_large',
      error: `cannot take the request: ${what} has ${size}, the limit is ${this.#bytesMax} bytes; send smaller requests or raise -maxInsertRequestSize`,
    };
  }
}

function malformed(error: string): Flaw {
  return { status: 400, reason: 'malformed', error };
}

function looksLikeZstd(wire: Uint8Array): boolean {
  return wire[0] === 0x28 && wire[1] === 0xb5 && wire[2] === 0x2f && wire[3] === 0xfd;
}
