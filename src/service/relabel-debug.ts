/** `/metric-relabel-debug`: what relabel rules make of a series, step by step. No script; the form is sent and answered. */
import { formatProblem } from '../config/problem.ts';
import type { Endpoint, EndpointAnswer } from '../ingest/endpoint.ts';
import type { Labels } from '../model/labels.ts';
import { parseSeries } from '../model/series-text.ts';
import { type ExplainedStep, RelabelChain } from '../transform/relabel/chain.ts';
import { parseRules, type RuleSpec } from '../transform/relabel/rule.ts';
import { Html, html } from './html.ts';
import { page } from './page.ts';
import type { ServicePorts } from './ports.ts';

/** The text of the rules in use, as YAML; empty when there are none. */
export interface RelabelSource {
  globalRules(): string;
  /** `index` counts destinations from 0; empty for one that there is not. */
  urlRules(index: number): string;
}

/** This page works where requests are served, so it takes only what is done in a moment. */
const METRIC_LENGTH_MAX = 4_096;
const RULES_MAX = 200;
const REGEX_PARTS_MAX = 20_000;

export function relabelDebug(ports: Pick<ServicePorts, 'relabel'>): Endpoint {
  return {
    paths: ['/metric-relabel-debug'],
    access: 'basic',
    methods: ['GET', 'HEAD', 'POST'],
    readsForm: true,
    handle: ({ query, form }) => {
      const field = (name: string) => form.get(name) ?? query.get(name) ?? '';
      const metric = field('metric');
      const index = field('url_relabel_configs_index');
      const given = field('relabel_configs');
      const isEmpty = metric.trim() === '' && given.trim() === '';
      const rules = isEmpty ? rulesInUse(ports.relabel, index) : given;
      const outcome = explain(metric, rules);
      if (field('format') === 'json') return jsonAnswer(outcome);
      return debugPage({ metric, rules, index, outcome: isEmpty ? undefined : outcome });
    },
  };
}

/** As the engine runs them one after another: the rules for all, then those of the destination. */
function rulesInUse(relabel: RelabelSource, index: string): string {
  const parts = [relabel.globalRules(), /^\d{1,6}$/.test(index) ? relabel.urlRules(Number(index)) : ''];
  return parts.filter((part) => part.trim() !== '').join('\n');
}

type Outcome =
  | { readonly error: string }
  | {
      readonly error?: never;
      readonly before: Pairs;
      readonly steps: readonly ExplainedStep[];
      readonly after: Pairs;
    };
type Pairs = ExplainedStep['inLabels'];

function explain(metric: string, yaml: string): Outcome {
  if (metric.length > METRIC_LENGTH_MAX)
    return { error: `the metric is longer than ${METRIC_LENGTH_MAX} characters` };
  const series = parseSeries(metric);
  if (typeof series === 'string')
    return { error: `cannot read the metric: ${series}; write it like name{label="value"}` };
  const { rules, problems } = parseRules(yaml, 'relabel_configs', REGEX_PARTS_MAX);
  if (problems.length > 0) return { error: problems.map(formatProblem).join('\n') };
  if (rules.length > RULES_MAX) return { error: `there are more than ${RULES_MAX} rules` };
  return explained(series, rules);
}

function explained(series: Labels, rules: readonly RuleSpec[]): Outcome {
  const before = series.pairs();
  const steps = new RelabelChain(rules).explain(series);
  return { before, steps, after: steps.at(-1)?.outLabels ?? before };
}

function jsonAnswer(outcome: Outcome): EndpointAnswer {
  const body =
    outcome.error === undefined
      ? {
          status: 'success',
          steps: outcome.steps.map((step) => ({
            inLabels: highlighted(step.inLabels, step.outLabels, 'red').text,
            outLabels: highlighted(step.outLabels, step.inLabels, 'blue').text,
            rule: step.rule,
            errors: {},
          })),
          originalLabels: highlighted(outcome.before, outcome.before, '').text,
          resultingLabels: highlighted(outcome.after, outcome.after, '').text,
        }
      : { status: 'error', error: outcome.error };
  return {
    status: 200,
    body: JSON.stringify(body),
    contentType: 'application/json; charset=utf-8',
    headers: {
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    },
  };
}

/** The labels as HTML; with a colour, those that the other side does not have stand out. */
function highlighted(labels: Pairs, other: Pairs, color: '' | 'red' | 'blue'): Html {
  const style = `font-weight:bold;color:${color}`;
  return seriesHtml(labels, other, (text) => html`<span style="${style}">${text}</span>`);
}

function seriesHtml(labels: Pairs, other: Pairs, mark: (text: string) => Html): Html {
  const known = new Set(other.map(([name, value]) => `${name}\0${value}`));
  const shown = ([name, value]: Pairs[number], text: string) =>
    known.has(`${name}\0${value}`) ? html`${text}` : mark(text);
  const metric = labels.find(([name]) => name === '__name__');
  const rest = labels.filter((label) => label !== metric);
  const list = rest.map((label, index) => {
    const text = shown(label, `${label[0]}=${JSON.stringify(label[1])}`);
    return index === 0 ? text : html`,${text}`;
  });
  const name = metric === undefined ? new Html('') : shown(metric, metric[1]);
  return rest.length === 0 && metric !== undefined ? name : html`${name}{${list}}`;
}

interface Shown {
  readonly metric: string;
  readonly rules: string;
  readonly index: string;
  /** Undefined before anything was asked. */
  readonly outcome: Outcome | undefined;
}

function debugPage({ metric, rules, index, outcome }: Shown): EndpointAnswer {
  const main = html`<form method="post" class="card pad">
<label for="metric">A series</label>
<textarea id="metric" name="metric" rows="2" spellcheck="false" placeholder="name{label=&quot;value&quot;}">
${metric}</textarea>
<label for="rules">Rules</label>
<textarea id="rules" name="relabel_configs" rows="14" spellcheck="false" placeholder="- source_labels: [job]">
${rules}</textarea>
<input type="hidden" name="url_relabel_configs_index" value="${index}">
<button>Run</button>
</form>
${outcome === undefined ? '' : outcomeHtml(outcome)}`;
  return page({ title: 'Try rules', subtitle: 'what rules make of a series, step by step' }, main);
}

function outcomeHtml(outcome: Outcome): Html {
  if (outcome.error !== undefined)
    return html`<h2>Problems</h2><pre class="card error">${outcome.error}</pre>`;
  const { steps, after } = outcome;
  const end =
    after.length === 0 ? html`<span class="bad">dropped</span>` : seriesHtml(after, after, unmarked);
  return html`<h2>Result</h2>
<div class="card result series">${end}</div>
<h2>Steps</h2>
${steps.length === 0 ? html`<p class="soft">Nothing changes.</p>` : html`<ol>${steps.map(stepHtml)}</ol>`}`;
}

function stepHtml({ rule, inLabels, outLabels, dropped }: ExplainedStep): Html {
  const removed = seriesHtml(inLabels, outLabels, (text) => html`<del>${text}</del>`);
  const added = seriesHtml(outLabels, inLabels, (text) => html`<ins>${text}</ins>`);
  return html`<li class="card"><pre>${rule}</pre>
<div class="series" data-side="in">${removed}</div>
<div class="series" data-side="out">${dropped ? html`<span class="bad">dropped</span>` : added}</div></li>
`;
}

function unmarked(text: string): Html {
  return html`${text}`;
}
