/** A body on the main thread, from its admission until all of it is out in blocks. */
import type { Body, BodyOrigin, Verdict } from '../model/body.ts';
import type { Slice } from './arena.ts';
import type { BodyFormat, ToEngine } from './messages.ts';

/** Lives until the body's block is full, so it is kept small: thousands of them are alive under many small requests. */
export interface Held extends Slice {
  readonly id: number;
  readonly format: BodyFormat;
  readonly client: string;
  readonly receivedMs: number;
  deaths: number;
  /** Absent once the verdict was given. */
  settle: ((verdict: Verdict) => void) | undefined;
  readonly origin: BodyOrigin;
  /** The journal is taking it: it was accepted, and its verdict follows. */
  isCommitting: boolean;
}

/** `last` when the body has the same format, so that a message holds each once. */
export function formatOf(
  { encoding, protocol, extraLabels }: Body,
  last: BodyFormat | undefined,
): BodyFormat {
  const isSame =
    last?.encoding === encoding &&
    last.protocol === protocol &&
    last.extraLabels.length === 0 &&
    extraLabels.length === 0;
  return isSame ? last : { encoding, protocol, extraLabels };
}

export function bodiesMessage(bodies: readonly Held[]): ToEngine {
  const fields: number[] = [];
  const formats: BodyFormat[] = [];
  for (const { id, slab, offset, length, format, settle, isCommitting } of bodies) {
    // The last one is nearly always it.
    let index = formats.lastIndexOf(format);
    if (index < 0) index = formats.push(format) - 1;
    fields.push(id, slab, offset, length, index, settle === undefined || isCommitting ? 1 : 0);
  }
  return { kind: 'bodies', fields, formats };
}
