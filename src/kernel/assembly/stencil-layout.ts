/**
 * What `stencil.ts` keeps in linear memory.
 *
 * Stencils, u32 each unless said otherwise: 0 headers, 4 number of headers, 8 where the next code goes, 12 where the room for
 * codes ends, 16 position u64: bytes of the stream so far, uncompressed, 24 where the block begins u64, 32 learner, 36 bytes of
 * codes that are not in use any more.
 * Header of a series, 16 bytes, by ref: 0 position of its last section u48, generation of the ref u16, 8 code u32 (UNSEEN, SEEN,
 * ODD or where it is), 12 bytes of the section u16, 14 number of labels u16.
 * Code: 0 bytes of elements u16, 2 sources u8, 3 misses u8, 4 number of copies u16, 6 bytes of the last element u8, 0 when it is
 * a literal; then the sources, the elements, the number of its source for each copy u8.
 * Source, 8 bytes: its ref u32, how far before u16, generation of the ref u16.
 */
export const HEADERS: usize = 0;
export const HEADER_COUNT: usize = 4;
export const CODE: usize = 8;
export const CODE_END: usize = 12;
export const POSITION: usize = 16;
export const BLOCK_POSITION: usize = 24;
export const LEARNER: usize = 32;
export const UNUSED: usize = 36;

export const HEADER_BYTES: usize = 16;
export const HEADER_CODE: usize = 8;
export const HEADER_SECTION: usize = 12;
export const HEADER_LABELS: usize = 14;
export const GENERATION_SHIFT: u64 = 48;
export const POSITION_MASK: u64 = 0xffffffffffff;

export const UNSEEN: u32 = 0;
/** It came once: many series never come again. */
export const SEEN: u32 = 1;
/** Its section is too long for a stencil. */
export const ODD: u32 = 2;
/** Behind a section: value, tag of the timestamp, six bytes of it. */
export const SAMPLE_BYTES: usize = 15;
/** Timestamps between these have six bytes: from 1971 to 2109. */
export const TIMESTAMP_MIN: u64 = 1 << 35;
export const TIMESTAMP_END: u64 = 1 << 42;
export const DISTANCE_MAX: u64 = 65535;

export const CODE_LENGTH: usize = 0;
export const CODE_SOURCES: usize = 2;
export const CODE_MISSES: usize = 3;
export const CODE_COPIES: usize = 4;
export const CODE_LAST: usize = 6;
export const CODE_HEAD_BYTES: usize = 8;
export const SOURCE_BYTES: usize = 8;
