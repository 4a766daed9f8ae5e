import type { DestinationValues, OptionTable, Values } from './option.ts';
import type { Problem } from './problem.ts';

/** The whole configuration, checked. Nothing in it shows a secret when it is printed or turned into JSON. */
export interface Config<T extends OptionTable = OptionTable> {
  readonly values: Values<T>;
  readonly destinations: readonly Destination<DestinationValues<T>>[];
  /** What was given, by option, as `/flags` may show it. */
  readonly set: ReadonlyMap<string, string>;
  readonly warnings: readonly Problem[];
  /** Where an option was given, for messages: `config/x.yaml:12:5`; `flag -x` if it was not. */
  where(option: keyof T & string, destinationIndex?: number): string;
}

export interface DestinationIdentity {
  /** Matches `NAME`; unique. The directory of its queue is called so. */
  readonly name: string;
  /** With credentials. */
  readonly url: string;
  /** For logs, metrics and pages: `1:secret-url`, or with the URL if -remoteWrite.showURL is set. */
  readonly shownUrl: string;
  /** Where it was configured, for messages. */
  readonly where: string;
}

export class Destination<V = Readonly<Record<string, unknown>>> implements DestinationIdentity {
  readonly name: string;
  readonly shownUrl: string;
  readonly where: string;
  /** What the options mean for this destination. */
  readonly values: V;
  /** Hidden from inspect and JSON. A copy with `{ ...destination }` has no URL. */
  readonly #url: string;

  constructor(identity: DestinationIdentity, values: V) {
    this.name = identity.name;
    this.shownUrl = identity.shownUrl;
    this.where = identity.where;
    this.values = values;
    this.#url = identity.url;
  }

  /** With credentials. */
  get url(): string {
    return this.#url;
  }
}
