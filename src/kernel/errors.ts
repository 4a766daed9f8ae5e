/** What the kernels say is wrong with their input; the index is the code in `assembly/result.ts`. */
export const KERNEL_ERRORS = [
  'no error',
  'the bytes end in the middle of a value',
  'a varint is too long or too large',
  'a length goes past the end',
  'a field has number 0 or a number beyond 2^29',
  'groups are not supported',
  'a wire type does not exist',
  'a field has another wire type than its definition',
  'a packed field has a length that is no multiple of 8',
  'a series has both samples and native histograms',
  'no valid length at the beginning',
  'the content is longer than the room for it',
  'a copy reaches before the beginning of the output',
  'the content is shorter than the declared length',
] as const;

/** Codes by the name that tests and callers use. */
export const KernelError = {
  truncated: 1,
  badVarint: 2,
  lengthPastEnd: 3,
  badFieldNumber: 4,
  group: 5,
  badWireType: 6,
  wrongWireType: 7,
  badPackedLength: 8,
  mixedSeries: 9,
  noLength: 10,
  outputTooLong: 11,
  badCopy: 12,
  outputTooShort: 13,
} as const;
