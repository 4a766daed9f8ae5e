/** Shows people a piece of what came. */

const BYTES_MAX = 120;

/** The text in quotes, escaped and cut. */
export function excerpt(bytes: Uint8Array, start: number, end: number): string {
  const shown = Math.min(end, start + BYTES_MAX);
  const text = JSON.stringify(Buffer.from(bytes.subarray(start, shown)).toString());
  return shown < end ? `${text}…` : text;
}
