/** Clean-up in reverse order: what was made last (a program) goes before what it needs (its directory). */
import type { TestContext } from 'node:test';

const pending = new WeakMap<TestContext, (() => unknown)[]>();

/** Runs `clean` when the test is over; `t.after` alone would run the oldest first. */
export function atEnd(t: TestContext, clean: () => unknown): void {
  const known = pending.get(t);
  if (known !== undefined) {
    known.push(clean);
    return;
  }
  const stack = [clean];
  pending.set(t, stack);
  t.after(async () => {
    for (const last of stack.toReversed()) await last();
  });
}
