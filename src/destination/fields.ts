/** A walk over the fields of a protobuf message that keeps nothing of what it has seen: hostile bytes cost time only. */
import { SluiceError } from '../util/error.ts';

/** https://protobuf.dev/programming-guides/proto3/#assigning */
const NUMBER_MAX = 2 ** 29 - 1;

/** The wire type of strings, bytes and messages. */
export const DELIMITED = 2;

/**
 * A field: `start` is where its tag is, `from` and `to` bound its content (of a varint: the varint). The first result that
 * is `false` ends the walk.
 */
export type Visit = (number: number, from: number, to: number, start: number, wire: number) => unknown;

/** Calls `visit` for the fields between `start` and `end`. Throws a SluiceError `undecodable` if they do not fill it exactly. */
export function eachField(bytes: Uint8Array, start: number, end: number, visit: Visit): void {
  let at = start;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1, count = 0; count < 10 && at < end; scale *= 128, count++) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw undecodable(at);
  };
  while (at < end) {
    const tagAt = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number === 0 || number > NUMBER_MAX) throw undecodable(tagAt);
    const wire = tag % 8;
    const length = wire === DELIMITED ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    const from = at;
    if (wire === 0) varint();
    else if (wire === 1 || wire === DELIMITED || wire === 5) at += length;
    else throw undecodable(tagAt);
    if (at > end) throw undecodable(tagAt);
    if (visit(number, from, at, tagAt, wire) === false) return;
  }
}

function undecodable(at: number): SluiceError {
  return new SluiceError('undecodable', `cannot read a block's message at byte ${at}: it is no protobuf`);
}
