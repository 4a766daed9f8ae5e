/** Tells the way of one series through the rules, limits and shards in force: for people who wonder where it went. */
import type { Distribution } from './distribution.ts';
import { Decider, type ExplainedForm, type Explanation } from './engine/decider.ts';
import type { ShapeConfig } from './engine/shape.ts';
import type { Labels } from './model/labels.ts';
import { parseSeries } from './model/series-text.ts';
import type { Outlet } from './outlet.ts';
import type { Shaping } from './shaping.ts';

/** What one destination gets of it. */
export interface ExplainedDestination {
  readonly name: string;
  /** In a few words. */
  readonly why: string;
  readonly form: ExplainedForm | undefined;
}

export interface ExplainedSeries {
  readonly series: Labels;
  readonly explanation: Explanation;
  readonly destinations: readonly ExplainedDestination[];
}

/** How destinations see series at the moment. */
export interface ExplainerSource {
  readonly shape: ShapeConfig;
  readonly destinations: readonly {
    readonly name: string;
    readonly form: number;
    readonly shard: number | undefined;
  }[];
  /** What is said of destinations that each get everything, or each get blocks in turn. */
  readonly routing: 'replicate' | 'shard' | 'spread';
}

/** What the explainer goes by, as it is at the moment. */
export function explainerSource(
  { shape }: Pick<Shaping, 'shape'>,
  distribution: Pick<Distribution, 'kind' | 'shards'>,
  members: readonly Pick<Outlet, 'name' | 'needs'>[],
): ExplainerSource {
  return {
    shape: { ...shape.config, ...distribution.shards },
    routing: distribution.kind,
    destinations: members.map(({ name, needs: { form = 0, shard } }) => ({ name, form, shard })),
  };
}

/** Tells the way of a series as it is written, `up{job="x"}`; a text says what is wrong with it. */
export type Explain = (text: string) => ExplainedSeries | string;

export function createExplainer(source: ExplainerSource): Explain {
  const decider = new Decider(source.shape);
  return (text) => {
    const series = parseSeries(text);
    return typeof series === 'string' ? series : explainSeries(series, source, decider);
  };
}

export function explainSeries(series: Labels, source: ExplainerSource, decider: Decider): ExplainedSeries {
  const explanation = decider.explain(series);
  const destinations = source.destinations.map(({ name, form, shard }) => {
    const own = explanation.forms[form];
    const why = whyOf(source, explanation, shard, own);
    return { name, why: why.text, form: why.gets ? own : undefined };
  });
  return { series, explanation, destinations };
}

function whyOf(
  { routing, shape }: ExplainerSource,
  { verdict, owners }: Explanation,
  shard: number | undefined,
  form: ExplainedForm | undefined,
): { readonly gets: boolean; readonly text: string } {
  if (verdict !== 'none') return { gets: false, text: `dropped before: ${verdict.replaceAll('_', ' ')}` };
  if (owners !== undefined && shard !== undefined) {
    const place = owners.indexOf(shard);
    const { placement, available } = shape;
    const isDown = available?.[shard] === false;
    if (place < 0) {
      return { gets: false, text: isDown ? 'left out while it is down' : 'other shards own it' };
    }
    if (form?.labels === undefined) return { gets: false, text: 'it owns it, and its own rules drop it' };
    const choice = owners.length === 1 ? 'the owner' : `owner ${place + 1} of ${owners.length}`;
    return { gets: true, text: `${choice} by ${placement?.mode ?? 'placement'}` };
  }
  if (form?.labels === undefined) return { gets: false, text: 'its own rules drop it' };
  if (routing === 'spread') return { gets: true, text: 'any destination may get its block' };
  return { gets: true, text: 'it gets every series' };
}
