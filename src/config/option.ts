/**
 * The contract of an option. A component declares its options in a table beside its code; flags, environment
 * variables, the YAML file, `-help`, `/flags` and `docs/flags.md` are all derived from these tables.
 */
import type { Secret } from '../util/secret.ts';

/**
 * - `duration`: Go duration or a plain number of seconds where vmagent takes one; the value is in milliseconds.
 * - `bytes`: integer with an optional KB/MB/GB/TB (1000) or KiB/MiB/GiB/TiB (1024) suffix.
 * - `secret`: like a string, but it never shows itself; `file://` and `http(s)://` values are read from there.
 */
export type OptionKind = 'string' | 'secret' | 'bool' | 'int' | 'float' | 'duration' | 'bytes';

/**
 * - `one` (the default): the last value given counts.
 * - `list`: repeated and comma-separated values are appended.
 * - `destination`: a list with one item for each `-remoteWrite.url`; a single item serves all of them, an empty or
 *   missing item means the default.
 */
export type Arity = 'one' | 'list' | 'destination';

type Scalar<K extends OptionKind> = K extends 'string'
  ? string
  : K extends 'secret'
    ? Secret | undefined
    : K extends 'bool'
      ? boolean
      : number;

export interface OptionSpec<K extends OptionKind = OptionKind, A extends Arity = Arity> {
  readonly kind: K;
  readonly arity?: A;
  /** In the unit of the kind (milliseconds, bytes); for `list` the default of the whole list. Secrets: undefined. */
  readonly default: A extends 'list' ? readonly Scalar<K>[] : Scalar<K>;
  /** One or two sentences in plain English: what it does, what the default means. */
  readonly summary: string;
  /** How the value looks in `-help`, for example `duration`, `path`, `size`. */
  readonly placeholder?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Older spelling(s) that set this option with a warning. */
  readonly aliases?: readonly string[];
  /** How the default is described where it is computed at start, for example `2 × CPUs`. */
  readonly defaultText?: string;
  /** Not part of vmagent: ours. Shown in the docs. */
  readonly ours?: boolean;
  /** Of kind `secret`: the value is the secret itself, also when it begins with `file://` or `http://`. */
  readonly notReference?: boolean;
}

/** Keys are flag names as the user types them, without dashes: `remoteWrite.sendTimeout`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ItemOf<S> = S extends { readonly kind: infer K extends OptionKind } ? Scalar<K> : never;

/** The parsed values of a table: `list` options are arrays, `destination` options one array item per destination. */
export type Values<T extends OptionTable> = {
  readonly [N in keyof T]: T[N] extends { readonly arity: 'list' | 'destination' }
    ? readonly ItemOf<T[N]>[]
    : ItemOf<T[N]>;
};

/** The values of a table for one destination: `destination` options are already resolved to this destination's item. */
export type DestinationValues<T extends OptionTable> = {
  readonly [N in keyof T]: T[N] extends { readonly arity: 'list' } ? readonly ItemOf<T[N]>[] : ItemOf<T[N]>;
};

/** Declares a table; keeps the literal kinds so that `Values` knows the types. */
export function options<const T extends OptionTable>(table: T): T {
  return table;
}
