import type { DestinationKind } from './destination.ts';
import { file } from './file.ts';
import { prometheus } from './prometheus.ts';

/** Every destination kind; a new one is a file and a line here. */
export const destinations = { prometheus, file } satisfies Record<string, DestinationKind>;

/** The kind that takes this URL; undefined when none does. */
export function destinationOf(url: string): DestinationKind | undefined {
  return Object.values(destinations).find((kind) => kind.accepts(url));
}
