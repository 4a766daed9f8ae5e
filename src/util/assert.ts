/** Fails when our own code is wrong (never for bad input, never for the environment). */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${message}`);
}
