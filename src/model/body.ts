/**
 * A body: what a client pushed, admitted and complete, not yet looked into. Made by `ingest`, given to the engine.
 * The main thread owns it until the engine has handed back every block that holds its samples.
 */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/**
 * Where a body comes from: a client, the journal of a run that was killed, or the queue of a destination that is gone. Only
 * the first kind is not kept anywhere yet.
 */
export type BodyOrigin = 'client' | 'journal' | 'queue';

/** How the bytes are encoded, in the engine's words. `snappy-or-zstd` tries the first and falls back to the other. */
export type BodyEncoding =
  | 'snappy-or-zstd'
  | 'zstd-or-snappy'
  | 'plain'
  | 'gzip'
  | 'deflate'
  | 'zstd'
  | 'snappy';

/** Frames of real senders ask for 8 MiB at most; zstd would allocate whatever a hostile frame asks for. */
export const ZSTD_WINDOW_LOG_MAX = 25;

/** What `Body.protocol` says of a remote write 2.0 Request: another message at the paths of `promremotewrite`. */
export const REMOTE_WRITE_2 = 'io.prometheus.write.v2.Request';

/** Whose data it is, in a VictoriaMetrics cluster; both below 2^32. */
export interface Tenant {
  readonly accountId: number;
  readonly projectId: number;
}

/** Labels that name the tenant of a series. */
export const ACCOUNT_LABEL = 'vm_account_id';
export const PROJECT_LABEL = 'vm_project_id';

/** What a parser must know of a request's head, by names of the protocol. */
export type Parameters = Readonly<Record<string, string>>;

/** What a parser must know besides the bytes and the options. */
export interface Arrival {
  readonly parameters: Parameters;
  /** Unix milliseconds. */
  readonly receivedMs: number;
}

/** Memory of the engine that a body is received into, so that it need not be copied there. */
export interface BodyRoom {
  readonly bytes: Uint8Array;
  /** Gives the memory back, unless a body in it was taken. */
  release(): void;
}

export interface Body {
  /**
   * Borrowed for the duration of `submit`'s synchronous part only: the receiver copies what it keeps, unless they lie in `room`.
   */
  readonly bytes: Uint8Array;
  /** What `Intake.reserve` gave, filled by these bytes. */
  readonly room?: BodyRoom | undefined;
  readonly encoding: BodyEncoding;
  /** Registry key of the protocol: `promremotewrite`; or `REMOTE_WRITE_2`. */
  readonly protocol: string;
  /** From `extra_label` query parameters, appended to every series in this order. */
  readonly extraLabels: readonly Label[];
  /** Its labels are among `extraLabels`; absent where the request names none. */
  readonly tenant?: Tenant | undefined;
  /** Absent for a protocol without a parser. */
  readonly arrival?: Arrival | undefined;
  /** Remote address, for messages about bad input. */
  readonly client: string;
}

/** What a body held; kinds have their own columns in the ledger. */
export interface Counts {
  series: number;
  samples: number;
  histograms: number;
  exemplars: number;
  metadata: number;
}

export const noCounts: Readonly<Counts> = { series: 0, samples: 0, histograms: 0, exemplars: 0, metadata: 0 };

export function addCounts(into: Counts, more: Readonly<Counts>): void {
  into.series += more.series;
  into.samples += more.samples;
  into.histograms += more.histograms;
  into.exemplars += more.exemplars;
  into.metadata += more.metadata;
}

export function subtractCounts(from: Counts, less: Readonly<Counts>): void {
  from.series -= less.series;
  from.samples -= less.samples;
  from.histograms -= less.histograms;
  from.exemplars -= less.exemplars;
  from.metadata -= less.metadata;
}

/**
 * What a parser has to say of a body that was accepted; absent when every row was good and is one sample, but never for a
 * piece of a larger body.
 */
export interface ParseNotes {
  /** Absent: as many as were taken. */
  readonly rowsRead?: number | undefined;
  readonly rowsInvalid: number;
  /** What bodies are cut at into pieces: lines, or blocks of the native format. Absent or 0: not counted. */
  readonly items?: number;
  /** Rows that are right and no samples; absent: none. */
  readonly rowsIgnored?: number;
  /** What is wrong with the first few invalid rows. */
  readonly examples: readonly string[];
  /** What was taken as the client counts it, where that is not what the body became. */
  readonly taken?: Readonly<Counts>;
  /** Created and start timestamps that have no place in a WriteRequest. */
  readonly startTimestamps?: number;
}

/** What the engine says of a body. `unparsed`: the bytes could not be decoded or parsed at all. */
export type Verdict =
  | { readonly ok: true; readonly counts: Counts; readonly notes?: ParseNotes | undefined }
  | {
      readonly ok: false;
      readonly status: 400 | 413 | 429 | 503;
      readonly reason: 'malformed' | 'too_large' | 'overloaded' | 'engine_failed' | 'quarantined';
      /** What is wrong and where, for the client. */
      readonly error: string;
      readonly retryAfterS?: number;
    };

const OVERLOAD_RETRY_AFTER_S = 5;

/** Nothing of the body was taken; the same one may be later. */
export function unavailable(why: string): Verdict {
  const error = `cannot take the request: ${why}`;
  return { ok: false, status: 503, reason: 'overloaded', error, retryAfterS: OVERLOAD_RETRY_AFTER_S };
}

/** The seam between `ingest` and the engine. */
export interface Intake {
  /**
   * Whether little waits for the engine: then the next body may come in before the last one is judged, which lets small
   * bodies go to the engine together.
   */
  readonly hasRoom: boolean;
  /** Memory for a body of so many bytes; undefined when too many of them are on their way. */
  reserve(byteLength: number): BodyRoom | undefined;
  /** Copies `body.bytes` before it returns the promise, so that the caller may reuse the memory at once. */
  submit(body: Body): Promise<Verdict>;
}

/** A place between two series of a message, and what is before it. */
export interface Cut {
  readonly bytes: number;
  /** Bytes of its snappy elements. None of those behind refers to what is before. */
  readonly elements: number;
  readonly counts: Counts;
  readonly labels: number;
}
