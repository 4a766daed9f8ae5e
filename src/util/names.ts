/** Finding what somebody meant who mistyped a name. */

/** Insertions, deletions, replacements and swaps of neighbours between two texts (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(last[j - 1]! + (same ? 0 : 1), last[j]! + 1, row[j - 1]! + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** The candidate that `name` was probably meant to be; undefined when none is near. Case does not count. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  // A third of the letters may be wrong.
  let distanceMax = Math.min(5, Math.ceil(wanted.length / 3));
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    // `sendTimeout` for `remoteWrite.sendTimeout` is nearer than any other name.
    const distance = known.endsWith(`.${wanted}`) ? 0.5 : editDistance(wanted, known);
    if (distance <= distanceMax && (nearest === undefined || distance < distanceMax)) {
      nearest = candidate;
      distanceMax = distance;
    }
  }
  return nearest;
}
