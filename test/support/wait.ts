/** Waiting for real programs: polling with a deadline, because they do not tell when they are done. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Polls until `probe` gives something other than undefined or false, and returns it. Errors of the probe count as
 * "not yet"; the last one is told if the time is up.
 */
export async function until<T>(
  what: string,
  withinMs: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  let last: unknown = 'not so yet';
  while (performance.now() < deadlineMs) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await delay(POLL_MS);
  }
  throw new Error(`waited ${withinMs / 1000} s in vain: ${what} (${last})`);
}
