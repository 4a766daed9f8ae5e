/** `/top` and `/api/v1/top`: who sends the most, by samples and by new series. */
import type { Endpoint } from '../ingest/endpoint.ts';
import { thousands } from '../util/thousands.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';
import type { ServicePorts } from './ports.ts';
import type { TopLine, TopShown } from './status.ts';

const REFRESH_S = 10;
const UNKNOWN = 'the engine is too busy to answer; try again';

export function top(ports: Pick<ServicePorts, 'status'>): Endpoint {
  return {
    paths: ['/top'],
    access: 'basic',
    methods: ['GET', 'HEAD'],
    handle: async () => {
      const shown = await ports.status.top();
      const subtitle = shown === undefined ? '' : covered(shown);
      const main = shown === undefined ? html`<p class="bad">${UNKNOWN}</p>` : tables(shown, 50);
      return page({ title: 'Top talkers', subtitle, refreshS: REFRESH_S }, main, html`${note}`);
    },
  };
}

export function topApi(ports: Pick<ServicePorts, 'status'>): Endpoint {
  return {
    paths: ['/api/v1/top'],
    access: 'basic',
    methods: ['GET', 'HEAD'],
    handle: async () => {
      const shown = await ports.status.top();
      const [status, value] =
        shown === undefined
          ? [503, { status: 'error', error: UNKNOWN }]
          : [200, { status: 'success', data: shown }];
      return { status, body: JSON.stringify(value), contentType: 'application/json' };
    },
  };
}

const note =
  'Metrics and label values are estimated from a sample of the requests. New series are known where series are looked at one by one: with rules, limits, shards, or several requests side by side; and as long as there is room for all of them (sluice_engine_series_max).';

const titles = {
  metrics: ['Metrics', 'Samples'],
  labelValues: ['Label values', 'Samples'],
  clients: ['Clients', 'Samples'],
  newByMetric: ['Metrics with new series', 'New series'],
  newByLabelValue: ['Label values with new series', 'New series'],
} as const;

export function covered({ coveredS, samples }: TopShown): string {
  return `${thousands(Math.round(samples))} samples of the last ${Math.max(1, Math.round(coveredS / 60))} min`;
}

/** The first `count` lines of every list that has some. */
export function tables(shown: TopShown, count: number): Html {
  const lists = Object.entries(titles).flatMap(([name, [title, unit]]) => {
    const lines = shown[name as keyof typeof titles];
    return lines.length === 0 ? [] : [table(title, unit, lines.slice(0, count))];
  });
  return lists.length === 0 ? html`<p class="soft">Nothing came yet.</p>` : html`${lists}`;
}

function table(title: string, unit: string, lines: readonly TopLine[]): Html {
  return html`<div class="card"><table><thead><tr><th>${title}</th><th>${unit}</th><th>Share</th></tr></thead><tbody>
${lines.map(
  ({
    key,
    count,
    share,
  }) => html`<tr><td><code>${key}</code></td><td>${thousands(Math.round(count))}</td><td>${(share * 100).toFixed(1)} %</td></tr>
`,
)}</tbody></table></div>
`;
}
