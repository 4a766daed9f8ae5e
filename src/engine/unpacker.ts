/**
 * From the bytes of a body to a validated WriteRequest in linear memory: decoded, parsed or expanded, whatever its protocol
 * asks for. Engine thread only.
 */
import { EXPANDED_BYTES_MAX, type Expanded, Expander } from '../kernel/expander.ts';
import type { Kernel, WriteRequestFound } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import { TextScanner } from '../kernel/text-scanner.ts';
import { type Cut, type ParseNotes, REMOTE_WRITE_2 } from '../model/body.ts';
import { CONVERT_HISTOGRAMS } from '../protocol/remote-write.ts';
import { assert } from '../util/assert.ts';
import { BodyParser, type BodyParserConfig } from './body-parser.ts';
import { BodyDecoder, type Decoded, type Flaw } from './decoder.ts';
import { MessageRoom } from './message-room.ts';
import { type BodyFormat, REROUTED } from './messages.ts';
import { convertHistograms } from './native-histograms.ts';
import { excessOf } from './request-limits.ts';
import { namesTenants, ofTenant } from './tenant.ts';

/** Blocks of an earlier run, which may have had larger limits. */
const REROUTED_BYTES_MAX = 64 * 1024 * 1024;
/** A request of 2.0 names its strings once: written in full it is several times as long. */
const EXPANSION_MAX = 8;
const EXPANDED_BYTES_MIN = 32 * 1024 * 1024;

export interface Unpacked extends Decoded {
  readonly found: WriteRequestFound;
  readonly notes: ParseNotes | undefined;
  readonly cuts?: readonly Cut[] | undefined;
}

export interface UnpackerConfig extends BodyParserConfig {
  /** Whether a destination takes the start of samples. */
  readonly keepsStarts?: boolean;
}

/** What is in a message; undefined when it does not know. */
export type Check = (ptr: number, length: number) => WriteRequestFound | undefined;

interface Message {
  readonly decoded: Decoded;
  readonly cuts?: readonly Cut[];
  /** What is in it, where that is known. */
  readonly found?: WriteRequestFound;
  readonly notes: ParseNotes | undefined;
}

export class Unpacker {
  readonly #kernel: Kernel;
  readonly #expandedBytesMax: number;
  readonly #convertsHistograms: boolean;
  readonly #keepsStarts: boolean;
  readonly #scanner: TextScanner;
  readonly #parsed: MessageRoom;
  readonly #parser: BodyParser;
  readonly #decoder: BodyDecoder;
  /** For blocks of destinations that are gone. */
  readonly #rerouted: BodyDecoder;
  /** For requests that are expanded, which lie elsewhere then. */
  readonly #packed: BodyDecoder;
  readonly #expander: Expander;
  readonly #room: Region;

  /**
   * `target`: where a message of this length goes, and whether it may go on in the compressed form that it came in. It puts
   * what comes in where `before` did.
   */
  constructor(
    kernel: Kernel,
    config: UnpackerConfig,
    target: (length: number, isCompressed: boolean) => number,
    before?: Unpacker,
  ) {
    this.#kernel = kernel;
    this.#expandedBytesMax = Math.min(
      EXPANDED_BYTES_MAX,
      Math.max(EXPANDED_BYTES_MIN, EXPANSION_MAX * config.bodyBytesMax),
    );
    this.#keepsStarts = config.keepsStarts === true;
    this.#convertsHistograms = config.protocolOptions[CONVERT_HISTOGRAMS] === true;
    this.#scanner = before === undefined ? new TextScanner(kernel) : before.#scanner;
    this.#parsed = new MessageRoom(kernel, (length) => target(length, this.#scanner.elements.isOn));
    this.#parser = new BodyParser(config, this.#scanner, this.#parsed);
    this.#room = before === undefined ? new Region(kernel.memory) : before.#room;
    this.#expander = before === undefined ? new Expander(kernel) : before.#expander;
    const input = before === undefined ? undefined : before.#decoder;
    const decoded = (length: number) => target(length, true);
    this.#decoder = new BodyDecoder(kernel, config.bodyBytesMax, decoded, input);
    const reroutedMax = Math.max(config.bodyBytesMax, REROUTED_BYTES_MAX);
    this.#rerouted = new BodyDecoder(kernel, reroutedMax, decoded, this.#decoder);
    const reserve = (length: number) => this.#room.reserve(length);
    this.#packed = new BodyDecoder(kernel, config.bodyBytesMax, reserve, this.#decoder);
  }

  /**
   * `wire` is only read during the call; the result is there until the next one.
   * @param wantsElements whether somebody may take a message in snappy that did not come in it.
   * @param check may say what is in a message that stays as it is, so that it is not validated.
   */
  unpack(body: BodyFormat, wire: Uint8Array, wantsElements = false, check?: Check): Unpacked | Flaw {
    const message =
      body.protocol === REMOTE_WRITE_2
        ? this.#expand(body, wire)
        : this.#read(body, wire, wantsElements && body.tenant === undefined);
    if ('error' in message) return message;
    const { rawPtr, rawLength } = message.decoded;
    const mayChange = body.tenant !== undefined || this.#converts(body);
    const known = message.found ?? (mayChange ? undefined : check?.(rawPtr, rawLength));
    const found = this.#kernel.validateWriteRequest(rawPtr, rawLength, known);
    if ('error' in found) return malformed(rawLength, found);
    const excess = excessOf(found.counts);
    if (excess !== undefined) return { status: 413, reason: 'too_large', error: excess };
    const { decoded, notes, cuts } = message;
    return this.#amended(body, { ...decoded, found, notes, cuts });
  }

  #converts({ protocol }: BodyFormat): boolean {
    return this.#convertsHistograms && protocol !== REROUTED;
  }

  /** What has to be written anew before anybody sees it. */
  #amended(body: BodyFormat, unpacked: Unpacked): Unpacked | Flaw {
    const { tenant } = body;
    const { rawPtr, rawLength, found, notes } = unpacked;
    const hasHistograms = found.counts.histograms > 0 && this.#converts(body);
    if (tenant === undefined && !hasHistograms) return unpacked;
    unpacked.write?.();
    const message = this.#kernel.memory.bytes().subarray(rawPtr, rawPtr + rawLength);
    const hasTenant = tenant !== undefined && namesTenants(message, found.counts.metadata);
    if (!hasTenant && !hasHistograms) return unpacked;
    const own = hasTenant ? ofTenant(message, tenant) : message;
    const converted = hasHistograms
      ? convertHistograms(own, this.#expandedBytesMax)
      : { message: own, nameless: 0 };
    if (converted === 'too_large') return tooLarge('once its native histograms are series');
    const { rawPtr: ptr, rawLength: length, ...decoded } = this.#decoder.place(converted.message);
    // Not `foundIn`: it may be as long as the message that lay there before.
    const amended = this.#kernel.validateWriteRequest(ptr, length);
    assert(!('error' in amended), 'what is written anew is well-formed');
    const excess = excessOf(amended.counts);
    if (excess !== undefined) return { status: 413, reason: 'too_large', error: excess };
    const isSame = !hasHistograms && notes === undefined;
    return {
      ...decoded,
      rawPtr: ptr,
      rawLength: length,
      found: amended,
      notes: isSame
        ? undefined
        : withNameless({ ...NO_NOTES, ...notes, taken: found.counts }, converted.nameless),
    };
  }

  #read(body: BodyFormat, wire: Uint8Array, wantsElements: boolean): Message | Flaw {
    const parsed = this.#parser.parse(body, wire, wantsElements);
    if (parsed !== undefined) {
      if ('error' in parsed) return parsed;
      const { message, found, notes, cuts } = parsed;
      const rawPtr = this.#parsed.ptr;
      const rawLength = message.byteLength;
      const elements = this.#scanner.elements.finish(rawPtr, rawLength);
      const { ptr: elementsPtr, length: elementsLength, write } = elements ?? NO_ELEMENTS;
      return { decoded: { rawPtr, rawLength, elementsPtr, elementsLength, write }, found, notes, cuts };
    }
    const decoder = body.protocol === REROUTED ? this.#rerouted : this.#decoder;
    const decoded = decoder.decode(wire, body.encoding);
    return 'error' in decoded ? decoded : { decoded, notes: undefined };
  }

  #expand(body: BodyFormat, wire: Uint8Array): Message | Flaw {
    const packed = this.#packed.decode(wire, body.encoding);
    if ('error' in packed) return packed;
    const { rawPtr, rawLength } = packed;
    const expanded = this.#expander.expand(rawPtr, rawLength, this.#expandedBytesMax, this.#keepsStarts);
    if (expanded === 'too_large') return tooLarge('once its labels are written in full');
    if ('error' in expanded) return malformed(rawLength, expanded);
    const notes = notesOf(expanded);
    if (expanded.series > 0 && expanded.rejectedSeries === expanded.series) {
      return {
        status: 400,
        reason: 'malformed',
        error: `cannot take the request: ${notes!.examples.join('; ')}`,
      };
    }
    const decoded = { rawPtr: expanded.ptr, rawLength: expanded.length, elementsPtr: 0, elementsLength: 0 };
    return { decoded, notes };
  }
}

function notesOf({
  series,
  rejected,
  rejectedSeries,
  rejectedRows,
  startTimestamps,
}: Expanded): ParseNotes | undefined {
  if (rejected === undefined && startTimestamps === 0) return undefined;
  const examples =
    rejected === undefined
      ? []
      : [
          `${rejectedSeries} of ${series} series are left out, the first is series ${rejected.index}: ${rejected.error}`,
        ];
  return { rowsRead: undefined, rowsInvalid: rejectedRows, examples, startTimestamps };
}

const NO_ELEMENTS = { ptr: 0, length: 0, write: undefined };
const NO_NOTES: ParseNotes = { rowsInvalid: 0, examples: [] };

function withNameless(notes: ParseNotes, nameless: number): ParseNotes {
  if (nameless === 0) return notes;
  const examples = [...notes.examples, `${nameless} series of native histograms have no name`];
  return { ...notes, rowsInvalid: notes.rowsInvalid + nameless, examples };
}

function tooLarge(when: string): Flaw {
  const error = `cannot take the request: its series take too much memory ${when}; send smaller requests`;
  return { status: 413, reason: 'too_large', error };
}

function malformed(length: number, { at, error }: { readonly at: number; readonly error: string }): Flaw {
  return {
    status: 400,
    reason: 'malformed',
    error: `cannot parse remote write request of ${length} bytes at byte ${at}: ${error}`,
  };
}
