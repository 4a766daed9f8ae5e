/** Walks over the fields of protobuf messages by protobufjs' reader, which throws whatever it likes for bad bytes. */
import type { Reader } from 'protobufjs';

/** Reads the value of a field; false for a field that it does not know, which is stepped over then. */
export type ReadField = (field: number, wireType: number) => boolean;

/** The fields of the message that ends at `end`. */
export function readFields(reader: Reader, end: number, read: ReadField): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!read(tag >>> 3, tag & 7)) reader.skipType(tag & 7);
  }
}

/** The fields of a message with its length in front. */
export function readMessage(reader: Reader, read: ReadField): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, read);
}

const PACKED = 2;

/** A repeated number, packed or alone. */
export function readNumbers(reader: Reader, wireType: number, into: number[], readOne: () => number): void {
  if (wireType !== PACKED) {
    into.push(readOne());
    return;
  }
  const length = reader.uint32();
  const end = reader.pos + length;
  while (reader.pos < end) into.push(readOne());
}
