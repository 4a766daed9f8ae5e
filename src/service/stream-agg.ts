/** `/stream-agg`: the rules of aggregation in force, and what they and deduplication did since the start. */
import type { StageConfig, StageStats } from '../engine/aggregation-stage.ts';
import type { Endpoint } from '../ingest/endpoint.ts';
import type { RuleStats } from '../transform/aggregate/aggregators.ts';
import type { AggregationRuleSpec } from '../transform/aggregate/rule.ts';
import { thousands } from '../util/thousands.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';

const REFRESH_S = 10;

/** One place where samples are aggregated or deduplicated. */
export interface ShownStage {
  readonly config: StageConfig;
  /** Undefined until the engine told. */
  readonly stats: StageStats | undefined;
}

export interface StreamAggSource {
  readonly stages: () => readonly ShownStage[];
}

export function streamAgg(source: StreamAggSource): Endpoint {
  return {
    paths: ['/stream-agg'],
    access: 'basic',
    methods: ['GET', 'HEAD'],
    handle: () => {
      const stages = source.stages();
      const main =
        stages.length === 0
          ? html`<p class="soft">Nothing is aggregated or deduplicated. See -streamAggr.config and -streamAggr.dedupInterval.</p>`
          : html`${stages.map(stageCard)}`;
      const subtitle = 'what rules and deduplication did since the start';
      return page({ title: 'Stream aggregation', subtitle, refreshS: REFRESH_S }, main);
    },
  };
}

function stageCard({ config, stats }: ShownStage): Html {
  const { rules, dedupIntervalMs } = config;
  const title = config.scope === 'global' ? 'Ahead of all destinations' : `For ${config.scope}`;
  return html`<h2>${title}</h2>
<p class="soft">${inputNote(config)} ${timesNote(stats)}</p>
${rules.length === 0 ? '' : rulesTable(rules, stats)}
${dedupIntervalMs === 0 ? '' : dedupTable(config, stats)}`;
}

function inputNote({ rules, keepInput, dropInput }: StageConfig): string {
  if (rules.length === 0) return '';
  if (keepInput) return dropInput ? 'Only samples that a rule takes go on, too.' : 'All samples go on, too.';
  return dropInput ? 'No sample goes on as it is.' : 'Samples that no rule takes go on.';
}

function timesNote(stats: StageStats | undefined): string {
  if (stats === undefined) return '';
  const written = (ms: number) => new Date(ms).toISOString();
  const last =
    stats.lastFlushMs === 0 ? 'There was no flush yet.' : `Last flush: ${written(stats.lastFlushMs)}.`;
  return `${last} Next: ${written(stats.nextFlushMs)}.`;
}

const columns: readonly (readonly [title: string, read: (stats: RuleStats) => number])[] = [
  ['Came', ({ came }) => came],
  ['From before', ({ resumed }) => resumed],
  ['NaN', ({ ignoredNan }) => ignoredNan],
  ['Late', ({ ignoredTooOld }) => ignoredTooOld],
  ['Relabeled away', ({ relabelDropped }) => relabelDropped],
  ['No room', ({ refused }) => refused],
  ['Deduplicated', ({ dedupDropped }) => dedupDropped],
  ['Held', ({ held }) => held],
  ['Aggregated', ({ aggregated }) => aggregated],
  ['Told', ({ output }) => output],
  ['Groups', ({ groups }) => groups],
  ['Series', ({ series }) => series],
  ['Bytes', ({ bytes }) => bytes],
];

function rulesTable(rules: readonly AggregationRuleSpec[], stats: StageStats | undefined): Html {
  const head = columns.map(([title]) => html`<th>${title}</th>`);
  const rows = rules.map((rule, index) => {
    const own = stats?.rules[index];
    return html`<tr><td>${description(rule)}</td>${columns.map(([, read]) => cell(own === undefined ? 0 : read(own)))}</tr>
`;
  });
  return html`<div class="card"><table><thead><tr><th>Rule</th>${head}</tr></thead><tbody>
${rows}</tbody></table></div>
`;
}

function description({ where, name, match, intervalText, by, without, outputs }: AggregationRuleSpec): Html {
  const grouping =
    by.length > 0 ? ` by ${by.join(', ')}` : without.length > 0 ? ` without ${without.join(', ')}` : '';
  const taken = match.length === 0 ? 'every series' : match.join(' or ');
  return html`<code>${outputs.map((output) => output.name).join(', ')}</code> every ${intervalText}${grouping}
<div class="soft"><code>${taken}</code></div><div class="soft">${name === '' ? '' : `${name}, `}${where}</div>`;
}

function dedupTable(config: StageConfig, stats: StageStats | undefined): Html {
  const dedup = stats?.dedup;
  const { received = 0, resumed = 0, deduplicated = 0, tooOld = 0 } = dedup ?? {};
  const { emitted = 0, items = 0, series = 0, bytes = 0 } = dedup ?? {};
  const heads = ['Came', 'From before', 'Left out', 'Late', 'Went on', 'Held', 'Series', 'Bytes'].map(
    (title) => html`<th>${title}</th>`,
  );
  const cells = [received, resumed, deduplicated, tooOld, emitted, items, series, bytes].map(cell);
  return html`<div class="card"><table><thead><tr><th>Deduplication</th>${heads}</tr></thead><tbody>
<tr><td>one sample a series every ${config.dedupIntervalMs / 1000} s</td>${cells}</tr></tbody></table></div>
`;
}

function cell(value: number): Html {
  return html`<td${value === 0 ? html` class="zero"` : ''}>${thousands(value)}</td>`;
}
