/**
 * The metrics of the process. prom-client's registry keeps the families and writes the exposition; the families are our
 * own, because prom-client's fix the label names of a metric, look labels up at every update and know no `vmrange`.
 * A handle is one object with a number in it: updating it costs an addition. Main thread only.
 */
import type { Metric } from 'prom-client';
import Registry from 'prom-client/lib/registry.js';
import { assert } from '../util/assert.ts';
import type { Counter, Gauge, Histogram, Meter, MetricLabels } from '../util/meter.ts';
import { VmHistogram } from './vm-histogram.ts';

/** `untyped`: what VictoriaMetrics says of its histograms; the other two are as everywhere. */
type FamilyType = 'counter' | 'gauge' | 'untyped';

interface ExposedValue {
  readonly metricName: string;
  readonly labels: MetricLabels;
  readonly value: number;
}

/** One series, or all series of one histogram. */
interface Child {
  readonly labels: MetricLabels;
  readonly kind: 'written' | 'read' | 'histogram';
  expose(name: string): readonly ExposedValue[];
}

class WrittenNumber implements Child, Counter, Gauge {
  readonly kind = 'written';
  readonly labels: MetricLabels;
  #value = 0;

  constructor(labels: MetricLabels) {
    this.labels = labels;
  }

  inc(by = 1): void {
    assert(by >= 0, `a counter cannot be increased by ${by}`);
    this.#value += by;
  }

  set(value: number): void {
    this.#value = value;
  }

  expose(metricName: string): readonly ExposedValue[] {
    return exposeNumber(metricName, this.labels, this.#value);
  }
}

/** What is not known now (NaN) is left out. */
function exposeNumber(metricName: string, labels: MetricLabels, value: number): readonly ExposedValue[] {
  return Number.isNaN(value) ? [] : [{ metricName, labels, value }];
}

class HistogramChild implements Child, Histogram {
  readonly kind = 'histogram';
  readonly labels: MetricLabels;
  readonly #histogram: VmHistogram;

  constructor(name: string, labels: MetricLabels) {
    this.labels = labels;
    this.#histogram = new VmHistogram(name);
  }

  observe(value: number): void {
    this.#histogram.observe(value);
  }

  expose(name: string): readonly ExposedValue[] {
    return this.#histogram.samples().map(({ suffix, labels, value }) => ({
      metricName: name + suffix,
      labels: { ...this.labels, ...labels },
      value,
    }));
  }
}

/** All series of one name, in the shape that prom-client's registry asks for. */
class Family {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly children = new Map<string, Child>();
  readonly #onReadError: () => void;

  constructor(name: string, help: string, type: FamilyType, onReadError: () => void) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#onReadError = onReadError;
  }

  async get() {
    const values = [...this.children.values()].flatMap((child) => this.#expose(child));
    return { name: this.name, help: this.help, type: this.type, values };
  }

  /** One value that cannot be read must not take the page with it. */
  #expose(child: Child): readonly ExposedValue[] {
    try {
      return child.expose(this.name);
    } catch {
      this.#onReadError();
      return [];
    }
  }
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export class Metrics implements Meter {
  readonly #families = new Map<string, Family>();
  readonly #registry = new Registry();
  readonly #exposeMetadata: boolean;
  readonly #readErrors: Counter;

  constructor(settings: { readonly exposeMetadata?: boolean } = {}) {
    this.#exposeMetadata = settings.exposeMetadata ?? false;
    this.#readErrors = this.counter('sluice_metrics_read_errors_total', 'Metrics that could not be read.');
  }

  counter(name: string, help: string, labels: MetricLabels = {}): Counter {
    return this.#child(name, help, 'counter', labels, 'written', (own) => new WrittenNumber(own));
  }

  gauge(name: string, help: string, labels: MetricLabels = {}): Gauge {
    return this.#child(name, help, 'gauge', labels, 'written', (own) => new WrittenNumber(own));
  }

  gaugeOf(name: string, help: string, labels: MetricLabels, read: () => number): void {
    this.#readAtScrape(name, help, 'gauge', labels, read);
  }

  counterOf(name: string, help: string, labels: MetricLabels, read: () => number): void {
    this.#readAtScrape(name, help, 'counter', labels, read);
  }

  histogram(name: string, help: string, labels: MetricLabels = {}): Histogram {
    return this.#child(name, help, 'untyped', labels, 'histogram', (own) => new HistogramChild(name, own));
  }

  remove(labels: MetricLabels): void {
    const wanted = Object.entries(labels);
    assert(wanted.length > 0, 'removing the metrics of no label at all would remove every metric');
    for (const { children } of this.#families.values()) {
      for (const [key, child] of children) {
        if (wanted.every(([name, value]) => child.labels[name] === value)) children.delete(key);
      }
    }
  }

  /** The whole page in the text exposition format, version 0.0.4. Never rejects because of a single metric. */
  async text(): Promise<string> {
    let page = '';
    for (const name of this.#families.keys()) {
      const lines = (await this.#registry.getSingleMetricAsString(name)).split('\n');
      // Help and label values are escaped, so that only the two lines of metadata begin with a hash.
      const samples = lines.filter((line) => !line.startsWith('#'));
      if (samples.length === 0) continue;
      page += `${(this.#exposeMetadata ? lines : samples).join('\n')}\n`;
    }
    return page;
  }

  #readAtScrape(name: string, help: string, type: FamilyType, labels: MetricLabels, read: () => number) {
    const family = this.#family(name, help, type);
    const own = withoutEmpty(labels);
    const known = family.children.get(keyOf(own));
    assert(known === undefined || known.kind === 'read', `${name} is both written and read`);
    // A component that was made anew takes the place of its predecessor.
    family.children.set(keyOf(own), {
      kind: 'read',
      labels: own,
      expose: (metricName) => exposeNumber(metricName, own, read()),
    });
  }

  /** The same name and labels give the same handle, so that components can share a metric. */
  #child<C extends Child>(
    name: string,
    help: string,
    type: FamilyType,
    labels: MetricLabels,
    kind: C['kind'],
    create: (labels: MetricLabels) => C,
  ): C {
    const { children } = this.#family(name, help, type);
    const own = withoutEmpty(labels);
    const known = children.get(keyOf(own));
    assert(known === undefined || known.kind === kind, `${name} is both ${known?.kind} and ${kind}`);
    if (known !== undefined) return known as C;
    const child = create(own);
    children.set(keyOf(own), child);
    return child;
  }

  #family(name: string, help: string, type: FamilyType): Family {
    const known = this.#families.get(name);
    if (known !== undefined) {
      assert(known.type === type, `${name} is both a ${known.type} and a ${type}`);
      return known;
    }
    assert(METRIC_NAME.test(name), `${name} is no name of a metric`);
    const family = new Family(name, help, type, () => this.#readErrors.inc());
    this.#families.set(name, family);
    // The registry uses nothing of a metric but name, help, type and get().
    this.#registry.registerMetric(family as unknown as Metric);
    return family;
  }
}

/** For the text format an empty label is one that is not there. */
function withoutEmpty(labels: MetricLabels): MetricLabels {
  const entries = Object.entries(labels).filter(([, value]) => value !== '');
  for (const [name] of entries) assert(LABEL_NAME.test(name), `${name} is no name of a label`);
  return Object.fromEntries(entries);
}

function keyOf(labels: MetricLabels): string {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries);
}
