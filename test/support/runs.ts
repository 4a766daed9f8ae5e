/**
 * How often dear properties are tried: some of the runs in everyday tests, all of them with PROPERTY_RUNS=all, as .ci/run has it.
 */
const SHARE = process.env.PROPERTY_RUNS === 'all' ? 1 : 0.3;

/** For fast-check. */
export function runs(all: number): { readonly numRuns: number } {
  return { numRuns: Math.ceil(all * SHARE) };
}
