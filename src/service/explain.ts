/**
 * `/explain`: what happens to a series under the configuration in force, step by step, for people who wonder where it
 * went; `format=json` for programs.
 */
import type { ExplainedStage } from '../engine/aggregation-stage.ts';
import type { ExplainedDestination, ExplainedSeries } from '../explainer.ts';
import type { Endpoint, EndpointAnswer } from '../ingest/endpoint.ts';
import type { Fate } from '../model/drops.ts';
import type { ExplainedStep } from '../transform/relabel/chain.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';
import type { ServicePorts } from './ports.ts';

const EXAMPLE = 'http_requests_total{job="api",instance="10.0.0.1:80"}';

export function explain(ports: Pick<ServicePorts, 'explain'>): Endpoint {
  return {
    paths: ['/explain'],
    access: 'basic',
    handle: ({ query }) => {
      const text = query.get('series') ?? '';
      const explained = text.trim() === '' ? undefined : ports.explain(text);
      if (query.get('format') === 'json') return json(explained);
      const subtitle = 'what happens to it under the configuration in force';
      return page({ title: 'Explain a series', subtitle }, html`${form(text)}${body(explained)}`);
    },
  };
}

type Explained = ExplainedSeries | string | undefined;

const unreadable = (why: string) => `cannot read the series: ${why}; write it like ${EXAMPLE}`;

function json(explained: Explained): EndpointAnswer {
  const answer = (status: number, value: object) => ({
    status,
    body: JSON.stringify(value),
    contentType: 'application/json',
  });
  if (explained === undefined) {
    return answer(400, { status: 'error', error: 'the parameter series is missing' });
  }
  if (typeof explained === 'string') return answer(400, { status: 'error', error: unreadable(explained) });
  const { series, explanation, destinations } = explained;
  return answer(200, {
    status: 'success',
    series: series.toString(),
    verdict: explanation.verdict,
    steps: explanation.steps.map(stepJson),
    labels: explanation.labels.toString(),
    aggregation: explanation.stage ?? null,
    destinations: destinations.map(({ name, why, form }) => ({
      name,
      why,
      aggregation: form?.stage ?? null,
      steps: form?.steps.map(stepJson) ?? [],
      series: form?.labels?.toString() ?? null,
    })),
  });
}

function stepJson({ rule, inLabels, outLabels, dropped }: ExplainedStep) {
  return { rule, inLabels: Object.fromEntries(inLabels), outLabels: Object.fromEntries(outLabels), dropped };
}

function form(text: string): Html {
  return html`<form method="get" class="card pad">
<label for="series">A series, as on a metrics page or in a query</label>
<textarea id="series" name="series" rows="3" spellcheck="false" placeholder="${EXAMPLE}">${text}</textarea>
<button>Explain</button>
</form>`;
}

function body(explained: Explained): Html {
  if (explained === undefined) return html``;
  if (typeof explained === 'string') return html`<p class="bad">${unreadable(explained)}</p>`;
  const { explanation, destinations } = explained;
  const fate =
    explanation.verdict === 'none'
      ? html`<p>Behind the rules for everything: <code>${explanation.labels.toString()}</code></p>`
      : html`<p class="bad">It is dropped: ${explanation.verdict.replaceAll('_', ' ')}.</p>`;
  return html`<h2>Rules for everything</h2>
${stepsTable(explanation.steps)}${fate}${stageNote(explanation.stage)}
<h2>Destinations</h2>
${destinations.map(destinationCard)}`;
}

function destinationCard({ name, why, form: own }: ExplainedDestination): Html {
  const gets = own?.labels;
  return html`<section class="card pad"><strong>${name}</strong> <span class="${gets === undefined ? 'bad' : 'good'}">${why}</span>
${own === undefined || own.steps.length === 0 ? '' : stepsTable(own.steps)}
${stageNote(own?.stage)}${gets === undefined ? '' : html`<p><code>${gets.toString()}</code></p>`}
</section>`;
}

const fateTexts: Readonly<Record<Fate, string>> = {
  goes_on: 'Its samples go on.',
  aggregated_in: 'Its samples do not go on as they are: rules of aggregation take them.',
  dropped_input: 'Its samples do not go on: -streamAggr.dropInput.',
  deduplicated_in: 'Its samples are held back, and one an interval goes on: deduplication.',
};

function stageNote(stage: ExplainedStage | undefined): Html {
  if (stage === undefined) return html``;
  const rules = stage.rules.map((rule) => html`<br><code>${rule}</code>`);
  return html`<p>${stage.rules.length === 0 ? 'No rule of aggregation takes it.' : 'Rules of aggregation that take it:'}${rules}<br>${fateTexts[stage.fate]}</p>`;
}

function stepsTable(steps: readonly ExplainedStep[]): Html {
  if (steps.length === 0) return html`<p class="soft">There are none.</p>`;
  const rows = steps.map(
    ({ rule, inLabels, outLabels, dropped }) =>
      html`<tr><td><pre>${rule}</pre></td><td>${dropped ? html`<span class="bad">dropped</span>` : changesOf(inLabels, outLabels)}</td></tr>
`,
  );
  return html`<div class="card"><table class="steps"><thead><tr><th>Rule</th><th>What it did</th></tr></thead><tbody>
${rows}</tbody></table></div>`;
}

type Pairs = ExplainedStep['inLabels'];

function changesOf(before: Pairs, after: Pairs): Html {
  const written = ([name, value]: Pairs[number]) => `${name}=${JSON.stringify(value)}`;
  const [old, now] = [before.map(written), after.map(written)];
  const gone = old.filter((label) => !now.includes(label)).map((label) => html`<del>${label}</del> `);
  const come = now.filter((label) => !old.includes(label)).map((label) => html`<ins>${label}</ins> `);
  if (gone.length + come.length === 0) return html`<span class="soft">nothing</span>`;
  return html`${gone}${come}`;
}
