/**
 * Aggregation rules as they stand in a file, and as plain data that can cross threads. The format is vmagent's
 * (https://docs.victoriametrics.com/victoriametrics/stream-aggregation/configuration/), and as strict: unknown and
 * repeated keys are errors, and so is every rule that could not do what it says. All problems are told at once.
 */
import { hash } from 'node:crypto';
import type { Node } from 'yaml';
import type { Problem } from '../../config/problem.ts';
import { yaml } from '../../util/yaml.ts';
import { RuleReader } from './rule-reader.ts';

export interface OutputSpec {
  readonly name: string;
  /** The numbers in parentheses. */
  readonly args: readonly number[];
}

/** One rule. Durations in whole ms; lists of labels are sorted and without repetition. */
export interface AggregationRuleSpec {
  /** `file:line:col`. */
  readonly where: string;
  /** Only for metrics. */
  readonly name: string;
  /** Texts of selectors, any of which may match; empty matches everything. */
  readonly match: readonly string[];
  /** As it was written: it is a part of output names. */
  readonly intervalText: string;
  readonly intervalMs: number;
  readonly outputs: readonly OutputSpec[];
  readonly by: readonly string[];
  readonly without: readonly string[];
  readonly stalenessMs: number;
  /** How long after its start the rule takes first samples of counters only as where counting begins. */
  readonly ignoreFirstSampleMs: number;
  /** 0 for none. */
  readonly dedupIntervalMs: number;
  readonly dropInputLabels: readonly string[];
  /** Relabeling rules as plain data, for `compileRelabel`. */
  readonly inputRelabel: readonly unknown[];
  readonly outputRelabel: readonly unknown[];
  readonly keepMetricNames: boolean;
  readonly alignFlush: boolean;
  readonly flushOnShutdown: boolean;
  readonly ignoreOldSamples: boolean;
  /** Flushes that are computed and not told. */
  readonly ignoreFirstIntervals: number;
  readonly enableWindows: boolean;
}

/** What flags say for rules that say nothing. */
export interface RuleDefaults {
  readonly dedupIntervalMs: number;
  readonly dropInputLabels: readonly string[];
  readonly ignoreOldSamples: boolean;
  readonly ignoreFirstIntervals: number;
  readonly enableWindows: boolean;
  /** Whether matched samples go on as they are, next to the outputs. */
  readonly keepInput: boolean;
}

export const NO_DEFAULTS: RuleDefaults = {
  dedupIntervalMs: 0,
  dropInputLabels: [],
  ignoreOldSamples: false,
  ignoreFirstIntervals: 0,
  enableWindows: false,
  keepInput: false,
};

export interface Fault {
  readonly message: string;
  readonly hint: string;
}

/** Checks of texts whose grammar belongs to others. */
export interface RuleChecks {
  readonly selector?: (text: string) => Fault | undefined;
  /** One relabeling rule as plain data. */
  readonly relabel?: (rule: unknown) => readonly Fault[];
}

export interface ParsedRules {
  /** Only the rules that have no problem. */
  readonly rules: AggregationRuleSpec[];
  readonly problems: Problem[];
}

/** `text` after `%{NAME}` was replaced. An empty file has no rules. */
export function parseAggregationRules(
  text: string,
  file: string,
  defaults: RuleDefaults = NO_DEFAULTS,
  checks: RuleChecks = {},
): ParsedRules {
  const problems: Problem[] = [];
  const lines = new (yaml().LineCounter)();
  const document = yaml().parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const report = (node: Node | null, { message, hint }: Fault) => {
    problems.push({ where: placeAt(node?.range?.[0] ?? 0), message, hint });
  };
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    const cause = code.toLowerCase().replaceAll('_', ' ');
    problems.push({
      where: placeAt(pos[0]),
      message: `this is no valid YAML (${cause})`,
      hint: 'look at this line and the one before',
    });
  }
  if (problems.length > 0) return { rules: [], problems };
  const root = document.contents;
  if (root === null || (yaml().isScalar(root) && root.value === null)) return { rules: [], problems };
  if (!yaml().isSeq(root)) {
    report(root, {
      message: 'the file is no list',
      hint: 'write "- interval: 1m" and "outputs: […]" for each rule',
    });
    return { rules: [], problems };
  }
  const rules = root.items.map((item) => {
    if (!yaml().isMap(item)) {
      report(item as Node, {
        message: 'this rule is no mapping',
        hint: 'write key: value lines under a dash',
      });
      return undefined;
    }
    const before = problems.length;
    const spec = new RuleReader(item, {
      document,
      report,
      checks,
      defaults,
      where: placeAt(item.range![0]),
    }).read();
    return problems.length > before ? undefined : spec;
  });
  return { rules: rules.filter((rule) => rule !== undefined), problems };
}

/** What a rule is known by: all that it says, and not where it stands. Rules of one identity do the same. */
export function ruleIdentity({ where: _, ...content }: AggregationRuleSpec): string {
  const keys = Object.keys(content).sort() as (keyof typeof content)[];
  return hash('sha256', JSON.stringify(keys.map((key) => [key, content[key]])));
}
