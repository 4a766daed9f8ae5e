/** One aggregation rule out of its YAML mapping. */
import type { Document, Node, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { parseDurationMs } from '../../util/duration.ts';
import { nearestName } from '../../util/names.ts';
import { yaml } from '../../util/yaml.ts';
import { outputOf, outputs } from './outputs/index.ts';
import type { AggregationRuleSpec, Fault, OutputSpec, RuleChecks, RuleDefaults } from './rule.ts';

const KEYS = [
  'by',
  'dedup_interval',
  'drop_input_labels',
  'enable_windows',
  'flush_on_shutdown',
  'ignore_first_intervals',
  'ignore_first_sample_interval',
  'ignore_old_samples',
  'input_relabel_configs',
  'interval',
  'keep_metric_names',
  'match',
  'name',
  'no_align_flush_to_interval',
  'output_relabel_configs',
  'outputs',
  'staleness_interval',
  'without',
] as const;
type Key = (typeof KEYS)[number];

const INTERVAL_MS_MIN = 1000;
const ALIASES_MAX = 100;

export interface RuleContext {
  readonly document: Document;
  readonly checks: RuleChecks;
  readonly defaults: RuleDefaults;
  readonly where: string;
  readonly report: (node: Node | null, fault: Fault) => void;
}

export class RuleReader {
  readonly #map: YAMLMap;
  readonly #context: RuleContext;
  readonly #values = new Map<Key, Node>();

  constructor(map: YAMLMap, context: RuleContext) {
    this.#map = map;
    this.#context = context;
  }

  /** What it gives is only good when nothing was reported. */
  read(): AggregationRuleSpec {
    this.#readKeys();
    const { defaults, where } = this.#context;
    const intervalMs = this.#interval();
    const dedupIntervalMs = this.#dedupInterval(intervalMs);
    const stalenessMs = this.#staleness(intervalMs);
    const outputSpecs = this.#outputs();
    const by = this.#labels('by') ?? [];
    const without = this.#labels('without') ?? [];
    if (by.length > 0 && without.length > 0) {
      this.#fault('without', 'by and without are given both', 'keep one of them');
    }
    return {
      where,
      name: this.#text('name') ?? '',
      match: this.#match(),
      intervalText: this.#text('interval') ?? '',
      intervalMs,
      outputs: outputSpecs,
      by,
      without,
      stalenessMs,
      ignoreFirstSampleMs: this.#duration('ignore_first_sample_interval') ?? stalenessMs,
      dedupIntervalMs,
      dropInputLabels: this.#labels('drop_input_labels') ?? [...new Set(defaults.dropInputLabels)].sort(),
      inputRelabel: this.#relabel('input_relabel_configs'),
      outputRelabel: this.#relabel('output_relabel_configs'),
      keepMetricNames: this.#keepMetricNames(outputSpecs),
      alignFlush: !(this.#flag('no_align_flush_to_interval') ?? false),
      flushOnShutdown: this.#flag('flush_on_shutdown') ?? false,
      ignoreOldSamples: this.#flag('ignore_old_samples') ?? defaults.ignoreOldSamples,
      ignoreFirstIntervals: this.#count('ignore_first_intervals') ?? defaults.ignoreFirstIntervals,
      enableWindows: this.#flag('enable_windows') ?? defaults.enableWindows,
    };
  }

  #readKeys(): void {
    for (const { key, value } of this.#map.items as Pair<Node, Node | null>[]) {
      const name = yaml().isScalar(key) ? String(key.value) : '';
      const known = KEYS.find((one) => one === name);
      if (known === undefined) {
        const meant = nearestName(name, KEYS);
        const hint = meant === undefined ? `the keys are ${KEYS.join(', ')}` : `did you mean ${meant}?`;
        this.#context.report(key, { message: `${name || 'this'} is no key of a rule`, hint });
      } else if (this.#values.has(known)) {
        this.#context.report(key, { message: `${name} is given twice`, hint: 'keep one' });
      } else {
        const node = this.#resolve(value);
        // A key without a value is as if it were not there.
        if (node !== null && !(yaml().isScalar(node) && node.value === null)) this.#values.set(known, node);
      }
    }
  }

  #interval(): number {
    if (!this.#values.has('interval')) {
      const hint = 'write how often results are told, for example interval: 1m';
      this.#context.report(this.#map, { message: 'the rule has no interval', hint });
      return INTERVAL_MS_MIN;
    }
    const intervalMs = this.#duration('interval');
    if (intervalMs === undefined) return INTERVAL_MS_MIN;
    if (intervalMs < INTERVAL_MS_MIN) {
      this.#fault('interval', `an interval of ${this.#text('interval')} is too short`, 'write 1s or more');
    }
    return intervalMs;
  }

  #dedupInterval(intervalMs: number): number {
    const ownMs = this.#duration('dedup_interval');
    const dedupMs = ownMs ?? this.#context.defaults.dedupIntervalMs;
    if (dedupMs === 0) return 0;
    const given = ownMs === undefined ? ' of the flag' : '';
    if (dedupMs > intervalMs) {
      this.#fault(
        'dedup_interval',
        `the dedup interval${given} is longer than the interval`,
        'make it shorter',
      );
    } else if (intervalMs % dedupMs !== 0) {
      const hint = 'write one that divides it, or 0s for none';
      this.#fault('dedup_interval', `the dedup interval${given} does not divide the interval`, hint);
    }
    return dedupMs;
  }

  #staleness(intervalMs: number): number {
    const stalenessMs = this.#duration('staleness_interval') ?? intervalMs;
    if (stalenessMs < intervalMs) {
      const hint = 'write the interval or more: what is stale sooner would never be told';
      this.#fault('staleness_interval', 'the staleness interval is shorter than the interval', hint);
    }
    return stalenessMs;
  }

  #outputs(): OutputSpec[] {
    const node = this.#values.get('outputs');
    if (node === undefined || !yaml().isSeq(node) || node.items.length === 0) {
      const hint = `write a list of ${Object.keys(outputs).join(', ')}`;
      this.#context.report(node ?? this.#map, { message: 'the rule has no outputs', hint });
      return [];
    }
    const found: OutputSpec[] = [];
    for (const item of this.#items(node)) {
      const spec = this.#output(item);
      if (spec === undefined) continue;
      if (found.some(({ name }) => name === spec.name)) {
        const hint = spec.args.length > 0 ? 'put all numbers into one, or make two rules' : 'keep one';
        this.#context.report(item, { message: `the output ${spec.name} is there twice`, hint });
      }
      found.push(spec);
    }
    return found;
  }

  #output(node: Node): OutputSpec | undefined {
    const text = yaml().isScalar(node) ? String(node.value).trim() : '';
    const [, name = text, inner] = /^([\w]+)\s*\(([^()]*)\)$/.exec(text) ?? [];
    const definition = outputOf(name);
    if (definition === undefined) {
      const meant = nearestName(name, Object.keys(outputs));
      const hint =
        meant === undefined ? `there are ${Object.keys(outputs).join(', ')}` : `did you mean ${meant}?`;
      this.#context.report(node, { message: `there is no output ${text || 'like this'}`, hint });
      return undefined;
    }
    const { args: expected } = definition;
    if (expected === undefined) {
      if (inner === undefined) return { name, args: [] };
      this.#context.report(node, { message: `the output ${name} takes no numbers`, hint: `write ${name}` });
      return undefined;
    }
    const texts = inner === undefined || inner.trim() === '' ? [] : inner.split(',').map((one) => one.trim());
    const args = texts.map((one) =>
      /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(one) ? Number(one) : Number.NaN,
    );
    const wrong = args.some(Number.isNaN) ? 'there is something that is no number' : expected.check(args);
    if (wrong === undefined) return { name, args };
    this.#context.report(node, {
      message: `${text}: ${wrong}`,
      hint: `write for example ${expected.example}`,
    });
    return undefined;
  }

  #keepMetricNames(specs: readonly OutputSpec[]): boolean {
    if (this.#flag('keep_metric_names') !== true) return false;
    const fault = (message: string, hint: string) => this.#fault('keep_metric_names', message, hint);
    if (specs.length > 1) {
      fault('keep_metric_names with several outputs gives them one name', 'make a rule for each output');
    } else if (this.#context.defaults.keepInput) {
      fault('keep_metric_names gives outputs the names of samples that are kept', 'do not keep the input');
    } else if (specs.some(({ name, args }) => outputOf(name)?.hasManyValues?.(args) === true)) {
      fault(`keep_metric_names cannot tell the values of ${specs[0]!.name} apart`, 'take it away');
    }
    return true;
  }

  #match(): string[] {
    const node = this.#values.get('match');
    if (node === undefined) return [];
    const items = yaml().isSeq(node) ? this.#items(node) : [node];
    return items.flatMap((item) => {
      if (!yaml().isScalar(item) || typeof item.value !== 'string') {
        const hint = `write a selector such as '{job="app"}'`;
        this.#context.report(item, { message: 'match takes selectors', hint });
        return [];
      }
      const fault = this.#context.checks.selector?.(item.value);
      if (fault !== undefined) this.#context.report(item, fault);
      return [item.value];
    });
  }

  #relabel(key: Key): unknown[] {
    const node = this.#values.get(key);
    if (node === undefined) return [];
    if (!yaml().isSeq(node)) {
      this.#fault(key, `${key} is no list`, 'write "- action: …" for each rule');
      return [];
    }
    return this.#items(node).map((rule) => {
      const { checks, document, report } = this.#context;
      if (!yaml().isMap(rule)) {
        report(rule, { message: 'this relabeling rule is no mapping', hint: 'write action: …' });
        return undefined;
      }
      try {
        const plain: unknown = rule.toJS(document, { maxAliasCount: ALIASES_MAX });
        for (const fault of checks.relabel?.(plain) ?? []) report(rule, fault);
        return plain;
      } catch {
        this.#context.report(rule, { message: 'there are too many aliases in here', hint: 'write it out' });
        return undefined;
      }
    });
  }

  /** Sorted, each once; undefined when the key is not there. */
  #labels(key: Key): string[] | undefined {
    const node = this.#values.get(key);
    if (node === undefined) return undefined;
    if (!yaml().isSeq(node)) {
      this.#fault(key, `${key} is no list`, `write ${key}: [job, instance]`);
      return [];
    }
    const names = this.#items(node).map((item) => {
      if (yaml().isScalar(item) && item.value !== null && item.value !== '')
        return String(item.source ?? item.value);
      this.#context.report(item, { message: `${key} takes names of labels`, hint: 'write a name' });
      return '';
    });
    return [...new Set(names)].sort();
  }

  /** Whole ms, as Go writes durations; undefined when the key is not there or wrong. */
  #duration(key: Key): number | undefined {
    const text = this.#text(key);
    if (text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms === undefined || /[dwy]/.test(text)) {
      const hint = ms === undefined ? 'write for example 30s, 5m or 1h30m' : 'write days in hours: 24h';
      this.#fault(key, `${text} is no duration`, hint);
      return undefined;
    }
    if (ms < 0 || !Number.isSafeInteger(ms)) {
      this.#fault(
        key,
        `${text} is no duration of whole milliseconds`,
        'write 0s or more, in whole milliseconds',
      );
      return undefined;
    }
    return ms;
  }

  #text(key: Key): string | undefined {
    const node = this.#values.get(key);
    if (node === undefined) return undefined;
    if (yaml().isScalar(node))
      return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
    this.#fault(key, `${key} takes one value`, 'write one value');
    return undefined;
  }

  #flag(key: Key): boolean | undefined {
    const node = this.#values.get(key);
    if (node === undefined) return undefined;
    if (yaml().isScalar(node) && typeof node.value === 'boolean') return node.value;
    this.#fault(key, `${key} is neither true nor false`, 'write true or false');
    return undefined;
  }

  #count(key: Key): number | undefined {
    const node = this.#values.get(key);
    if (node === undefined) return undefined;
    if (yaml().isScalar(node) && Number.isSafeInteger(node.value) && (node.value as number) >= 0)
      return node.value as number;
    this.#fault(key, `${key} is no number of intervals`, 'write 0 or more');
    return undefined;
  }

  #items(node: YAMLSeq): Node[] {
    return node.items.flatMap((item) => this.#resolve(item as Node | null) ?? []);
  }

  /** The node that an alias stands for. */
  #resolve(node: Node | null): Node | null {
    if (!yaml().isAlias(node)) return node;
    return (node.resolve(this.#context.document) as Node | undefined) ?? null;
  }

  #fault(key: Key, message: string, hint: string): void {
    this.#context.report(this.#values.get(key) ?? this.#map, { message, hint });
  }
}
