/**
 * What a destination's refusal means for a block, as data: `-remoteWrite.responsePolicy`. Pure. 2xx is success and never
 * gets here; a zstd block that is answered with 400 or 415 is sent again as snappy before any rule counts.
 */
import { nearestName } from '../util/names.ts';

/**
 * - `retry`: the same block again, later, for as long as it takes.
 * - `hold`: the same, at the longest interval, with an alarm: people must mend it.
 * - `split`: halves, and their halves, until they are taken; what cannot be halved is parked. For a limit on the size.
 * - `bisect`: the same, for a store that refuses a whole block for one bad series.
 * - `partial`: the store has kept what was good and will not take the rest: the block is done with.
 * - `park`: the block goes to the dead letters.
 * - `drop`: the block is dropped and counted.
 */
export const actions = ['retry', 'hold', 'split', 'bisect', 'partial', 'park', 'drop'] as const;
export type Action = (typeof actions)[number];

export interface Rule {
  readonly from: number;
  readonly to: number;
  /** What the answer must contain; `*` stands for anything. */
  readonly body?: string | undefined;
  readonly action: Action;
}

const on = (status: number, action: Action, body?: string): Rule => ({
  from: status,
  to: status,
  action,
  body,
});
/** Wrong credentials, a wrong path, a tenant that is not there: nothing is wrong with the data. */
const peopleMendIt = [on(401, 'hold'), on(403, 'hold'), on(404, 'hold')];
/** What no rule names is retried: 408, 429, 5xx, redirects (not followed: they would take credentials elsewhere). */
export const presets: Readonly<Record<string, readonly Rule[]>> = {
  /** vmagent: 400, 409 and 415 are dropped, everything else is retried for ever. */
  default: [on(400, 'drop'), on(409, 'drop'), on(415, 'drop')],
  /** VictoriaMetrics parses a block before it keeps any of it, so 400 means that nothing was kept. */
  victoriametrics: [
    on(400, 'bisect'),
    on(409, 'park'),
    on(413, 'split'),
    on(415, 'park'),
    on(422, 'bisect'),
    ...peopleMendIt,
  ],
  /**
   * Prometheus rolls a 1.0 request back at the first sample that is out of order, a duplicate or too old: 400, and nothing
   * of it is kept (storage/remote/write_handler.go; test/e2e/prometheus-receiver.test.ts). Bad labels it skips, with a 204.
   */
  prometheus: [on(400, 'bisect'), on(413, 'split'), on(415, 'park'), ...peopleMendIt],
  /**
   * Mimir takes the valid data of a request and answers 400 for the rest, limits per tenant included
   * (grafana.com/docs/mimir/latest/references/architecture/components/distributor, "Validation"); Cortex, too
   * (cortexproject/cortex#2662). Only a request above -distributor.max-recv-msg-size is refused whole, with a 400 as well.
   */
  mimir: [
    on(400, 'split', 'err-mimir-distributor-max-write-message-size'),
    on(400, 'partial'),
    on(413, 'split'),
    on(415, 'park'),
    on(422, 'park'),
    ...peopleMendIt,
  ],
  /**
   * Thanos Receive appends what it can, commits, and answers 409 for the rest: duplicates, out of order, too old, bad labels
   * (pkg/receive/writer.go). A 400 is for what it could not read at all.
   */
  thanos: [
    on(409, 'partial'),
    on(400, 'bisect'),
    on(413, 'split'),
    on(415, 'park'),
    on(422, 'bisect'),
    ...peopleMendIt,
  ],
};

/** The action for an answer; the first rule that fits counts. */
export function actionFor(rules: readonly Rule[], status: number, body: string): Action {
  const rule = rules.find(({ from, to, body: pattern }) => {
    return status >= from && status <= to && (pattern === undefined || contains(body, pattern));
  });
  return rule?.action ?? 'retry';
}

/** Whether the pieces between the stars are in the text one after another; linear in the text for each piece. */
function contains(text: string, pattern: string): boolean {
  let at = 0;
  for (const piece of pattern.split('*')) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return true;
}

/**
 * `[RULE;]…[PRESET]` with rules `STATUS=ACTION` or `STATUS:TEXT=ACTION`; STATUS is a number, a range (`500-504`) or `4xx`.
 * Without a preset at the end, the default one follows.
 */
export function parsePolicy(text: string): readonly Rule[] | { readonly error: string } {
  const parts = text.split(';').filter((part) => part.trim() !== '');
  const rules: Rule[] = [];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (isLast && !part.includes('=')) {
      const preset = Object.hasOwn(presets, part.trim()) ? presets[part.trim()] : undefined;
      if (preset === undefined) return { error: unknown('preset', part.trim(), Object.keys(presets)) };
      return [...rules, ...preset];
    }
    const rule = parseRule(part);
    if ('error' in rule) return rule;
    rules.push(rule);
  }
  return [...rules, ...presets.default!];
}

function parseRule(part: string): Rule | { readonly error: string } {
  const equals = part.lastIndexOf('=');
  const action = part.slice(equals + 1).trim();
  if (equals < 0 || !(actions as readonly string[]).includes(action)) {
    return { error: unknown('action', action, actions) };
  }
  const colon = part.indexOf(':');
  const hasBody = colon >= 0 && colon < equals;
  const status = part.slice(0, hasBody ? colon : equals).trim();
  const range = parseStatus(status);
  if (range === undefined) {
    return { error: `${JSON.stringify(status)} is no status; write 404, 500-504 or 4xx, from 300 to 599` };
  }
  const body = hasBody ? part.slice(colon + 1, equals).trim() : undefined;
  return { ...range, body, action: action as Action };
}

function parseStatus(text: string): { readonly from: number; readonly to: number } | undefined {
  const group = /^([345])xx$/i.exec(text);
  if (group !== null) return { from: Number(group[1]) * 100, to: Number(group[1]) * 100 + 99 };
  const match = /^(\d{3})(?:-(\d{3}))?$/.exec(text);
  if (match === null) return undefined;
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  return from >= 300 && to <= 599 && from <= to ? { from, to } : undefined;
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `there is no ${what} ${JSON.stringify(name)}, there are ${known.join(', ')}${hint}`;
}
