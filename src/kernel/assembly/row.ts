/**
 * A scanned series: 64 bytes, one cache line. `../columns.ts` reads the same layout.
 *
 *   0 ref u32            the series table's integer, or NO_REF
 *   4 spanPtr u32        the TimeSeries message as it came
 *   8 spanLength u32
 *  12 labelsPtr u32      its label fields, canonical and contiguous
 *  16 labelsLength u32
 *  20 restPtr u32        its fields that are neither labels nor samples, contiguous
 *  24 restLength u32
 *  28 sampleStart u32    index of its first sample in the sample columns
 *  32 sampleCount u32
 *  36 labelCount u32
 *  40 histograms u32     number in the rest
 *  44 exemplars u32
 *  48 fingerprint        128 bits
 */
export const ROW_BYTES: usize = 64;
export const ROW_REF: usize = 0;
export const ROW_SPAN_PTR: usize = 4;
export const ROW_SPAN_LENGTH: usize = 8;
export const ROW_LABELS_PTR: usize = 12;
export const ROW_LABELS_LENGTH: usize = 16;
export const ROW_REST_PTR: usize = 20;
export const ROW_REST_LENGTH: usize = 24;
export const ROW_SAMPLE_START: usize = 28;
export const ROW_SAMPLE_COUNT: usize = 32;
export const ROW_LABEL_COUNT: usize = 36;
export const ROW_HISTOGRAMS: usize = 40;
export const ROW_EXEMPLARS: usize = 44;
export const ROW_FINGERPRINT: usize = 48;

/** The ref of a series that the table does not hold. */
export const NO_REF: u32 = 0xffffffff;
