/** What a kernel reports besides its return value. Overwritten by every call; layouts are in `../kernel.ts`. */
export const RESULT: usize = memory.data(64, 16);

export function resultPtr(): usize {
  return RESULT;
}

// Error codes; the texts are in `../errors.ts`, in the same order.
export const OK: u32 = 0;
export const TRUNCATED: u32 = 1;
export const BAD_VARINT: u32 = 2;
export const LENGTH_PAST_END: u32 = 3;
export const BAD_FIELD_NUMBER: u32 = 4;
export const GROUP: u32 = 5;
export const BAD_WIRE_TYPE: u32 = 6;
export const WRONG_WIRE_TYPE: u32 = 7;
export const BAD_PACKED_LENGTH: u32 = 8;
export const MIXED_SERIES: u32 = 9;
export const NO_LENGTH: u32 = 10;
export const OUTPUT_TOO_LONG: u32 = 11;
export const BAD_COPY: u32 = 12;
export const OUTPUT_TOO_SHORT: u32 = 13;
export const NO_EMPTY_SYMBOL: u32 = 14;
export const REF_PAST_END: u32 = 15;
export const ODD_REFS: u32 = 16;
export const NO_METRIC_NAME: u32 = 17;
export const EMPTY_LABEL_NAME: u32 = 18;
export const DOUBLE_LABEL: u32 = 19;
export const UNSOUND_HISTOGRAM: u32 = 20;
export const TOO_MANY_SYMBOLS: u32 = 21;
export const TOO_MANY_LABELS: u32 = 22;

/** The first error of the running call: its code, and the address of the byte that is wrong. */
export let errorCode: u32 = OK;
export let errorPtr: usize = 0;

/** Notes an error and returns 0, which no valid position can be. */
export function fail(code: u32, at: usize): usize {
  errorCode = code;
  errorPtr = at;
  return 0;
}

export function clearError(): void {
  errorCode = OK;
  errorPtr = 0;
}

/** Puts the error into the result: code, then position relative to `src`. */
export function storeError(src: usize): void {
  store<u32>(RESULT, errorCode);
  store<u32>(RESULT, (errorPtr - src) as u32, 4);
}
