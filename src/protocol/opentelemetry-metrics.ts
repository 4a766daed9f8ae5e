/**
 * The metrics of an ExportMetricsServiceRequest as series. What is read of the messages (proto/opentelemetry.proto):
 *
 *     request          1 ResourceMetrics
 *     ResourceMetrics  1 Resource (1 attributes), 2 ScopeMetrics
 *     ScopeMetrics     1 scope (1 name, 2 version, 3 attributes), 2 Metric
 *     Metric           1 name, 2 description, 3 unit, 12 metadata, and one of 5 gauge, 7 sum, 9 histogram,
 *                      10 exponential histogram, 11 summary, each with 1 data points, and 10 with 2 temporality
 *
 * Every message is walked twice where what comes later decides about what came before, instead of keeping what was read:
 * so memory does not depend on what is in the body.
 */
import type { Values } from '../config/option.ts';
import { Attributes } from './opentelemetry-attributes.ts';
import {
  COUNTER,
  GAUGE,
  HISTOGRAM,
  INFO,
  prometheusMetricName,
  STATESET,
  SUMMARY,
  UNKNOWN,
} from './opentelemetry-names.ts';
import type { opentelemetryOptions } from './opentelemetry-options.ts';
import { PointWriter } from './opentelemetry-points.ts';
import { PointSeries } from './opentelemetry-series.ts';
import type { SeriesSink } from './series-sink.ts';
import { BYTES, VARINT, WireReader } from './wire-reader.ts';

const GAUGE_FIELD = 5;
const SUM_FIELD = 7;
const HISTOGRAM_FIELD = 9;
const EXPONENTIAL_FIELD = 10;
const SUMMARY_FIELD = 11;
/** AggregationTemporality. */
const DELTA = 1;

/** Field of a Metric → `MetricType` of proto/remote.proto; a sum that is monotonic is a counter. */
const typeOfField: Readonly<Record<number, number>> = {
  [GAUGE_FIELD]: GAUGE,
  [SUM_FIELD]: GAUGE,
  [HISTOGRAM_FIELD]: HISTOGRAM,
  [EXPONENTIAL_FIELD]: HISTOGRAM,
  [SUMMARY_FIELD]: SUMMARY,
};

/** What metric metadata may say of the type besides. */
const typeOfText: Readonly<Record<string, number>> = {
  unknown: UNKNOWN,
  info: INFO,
  stateset: STATESET,
};

const UNNAMED_SCOPE = Buffer.from('unknown');

export class MetricsReader {
  readonly #reader: WireReader;
  readonly #sink: SeriesSink;
  readonly #attributes: Attributes;
  readonly #series: PointSeries;
  readonly #points: PointWriter;
  readonly #isConverted: boolean;
  readonly #hasScope: boolean;
  readonly #hasNative: boolean;
  /** Attributes of resources to leave out, or those to take alone; undefined takes all. */
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #isListTaken: boolean;
  /** Names of metrics whose metadata is in the sink. */
  readonly #described = new Set<string>();
  /**
   * Where the names of the last scope lie, two places for each: resources of one kind have the same metrics in the same
   * order, so that most names are known without a text of them.
   */
  readonly #lastNames: number[] = [];
  #nth = 0;

  constructor(bytes: Uint8Array, options: Values<typeof opentelemetryOptions>, sink: SeriesSink) {
    this.#reader = new WireReader(bytes);
    this.#sink = sink;
    const isPrometheus = options['opentelemetry.usePrometheusNaming'];
    const hasKeyPrefix = options['opentelemetry.labelNameUnderscoreSanitization'];
    this.#attributes = new Attributes(this.#reader, sink, isPrometheus ? { hasKeyPrefix } : undefined);
    this.#series = new PointSeries(sink, this.#attributes);
    this.#points = new PointWriter(this.#reader, sink, this.#series, this.#attributes);
    this.#isConverted = isPrometheus || options['opentelemetry.convertMetricNamesToPrometheus'];
    this.#hasScope = options['opentelemetry.promoteScopeMetadata'];
    this.#hasNative = options['opentelemetry.nativeHistograms'];
    const takesAll = options['opentelemetry.promoteAllResourceAttributes'];
    const list = options[`opentelemetry.${takesAll ? 'ignore' : 'promote'}ResourceAttributes`];
    this.#isListTaken = !takesAll;
    this.#listed = takesAll && list.length === 0 ? undefined : new Set(list);
  }

  /** Throws a WireError when the bytes are not of this form, and what the sink throws. */
  run(): void {
    const reader = this.#reader;
    const end = reader.bytes.byteLength;
    reader.at = 0;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      this.#eachScope(from, to);
      reader.at = to;
    }
  }

  #eachScope(start: number, end: number): void {
    const reader = this.#reader;
    let resourceStart = 0;
    let resourceEnd = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      resourceStart = reader.start;
      resourceEnd = reader.end;
    }
    this.#series.beginResource(() => this.#writeResource(resourceStart, resourceEnd));
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 2) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      this.#series.beginScope(() => {
        if (this.#hasScope) this.#writeScope(from, to);
      });
      this.#eachMetric(from, to);
      reader.at = to;
    }
  }

  #writeResource(start: number, end: number): void {
    if (this.#listed === undefined) this.#attributes.writeAll(start, end, 1);
    else this.#writeListed(start, end, this.#listed);
  }

  #writeListed(start: number, end: number, listed: ReadonlySet<string>): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      if (listed.has(this.#attributes.keyOf(from, to)) === this.#isListTaken) {
        this.#attributes.write(from, to);
      }
      reader.at = to;
    }
  }

  /** The labels of the scope that the ScopeMetrics has; none where it has no scope. */
  #writeScope(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      this.#writeScopeText('scope.name', 1, from, to);
      this.#writeScopeText('scope.version', 2, from, to);
      this.#attributes.writeAll(from, to, 3, 'scope.attributes');
      reader.at = to;
    }
  }

  #writeScopeText(label: string, field: number, start: number, end: number): void {
    const reader = this.#reader;
    let from = -1;
    let to = -1;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== field) continue;
      reader.expect(BYTES);
      from = reader.start;
      to = reader.end;
    }
    if (from < 0) this.#attributes.label(label, UNNAMED_SCOPE, 0, UNNAMED_SCOPE.byteLength);
    else this.#attributes.label(label, reader.bytes, from, to);
  }

  #eachMetric(start: number, end: number): void {
    const reader = this.#reader;
    this.#nth = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 2) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      this.#metric(from, to);
      reader.at = to;
    }
  }

  #metric(start: number, end: number): void {
    const reader = this.#reader;
    const { bytes } = reader;
    let nameStart = 0;
    let nameEnd = 0;
    let unitStart = 0;
    let unitEnd = 0;
    let helpStart = 0;
    let helpEnd = 0;
    let type = UNKNOWN;
    let toldType: number | undefined;
    reader.at = start;
    while (reader.next(end)) {
      const { field } = reader;
      if (field > 12 || field === 4 || field === 6 || field === 8) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      if (field === 1) {
        nameStart = from;
        nameEnd = to;
      } else if (field === 2) {
        helpStart = from;
        helpEnd = to;
      } else if (field === 3) {
        unitStart = from;
        unitEnd = to;
      } else if (field === 12) {
        toldType = this.#toldType(from, to) ?? toldType;
        reader.at = to;
      } else if (field === SUM_FIELD) {
        type = this.#isMonotonic(from, to) ? COUNTER : GAUGE;
        reader.at = to;
      } else type = typeOfField[field]!;
    }
    const name = this.#isConverted
      ? prometheusMetricName(reader.text(nameStart, nameEnd), reader.text(unitStart, unitEnd), type)
      : undefined;
    if (name === undefined ? nameEnd === nameStart : name === '') {
      const points = this.#countPoints(start, end);
      if (points > 0) this.#sink.leaveOut(points, () => `${points} data points of a metric without a name`);
      return;
    }
    const converted = name === undefined ? undefined : Buffer.from(name);
    if (converted !== undefined) this.#series.beginMetric(converted, 0, converted.byteLength);
    else this.#series.beginMetric(bytes, nameStart, nameEnd);
    this.#writePoints(start, end);
    if (this.#isDescribed(name, nameStart, nameEnd)) return;
    const family = converted ?? bytes.subarray(nameStart, nameEnd);
    this.#sink.metadata(
      toldType ?? type,
      family,
      bytes.subarray(helpStart, helpEnd),
      bytes.subarray(unitStart, unitEnd),
    );
  }

  /** Whether metadata of this name has been written; it counts as written from now on. */
  #isDescribed(name: string | undefined, start: number, end: number): boolean {
    const last = this.#lastNames;
    const nth = this.#nth++;
    const { bytes } = this.#reader;
    if (name === undefined && isSame(bytes, last[2 * nth] ?? 0, last[2 * nth + 1] ?? 0, start, end))
      return true;
    last[2 * nth] = start;
    last[2 * nth + 1] = end;
    const text = name ?? this.#reader.text(start, end);
    if (this.#described.has(text)) return true;
    this.#described.add(text);
    return false;
  }

  /** The data points of the metric that lies there. */
  #writePoints(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      const { field } = reader;
      if (typeOfField[field] === undefined) continue;
      const { start: from, end: to } = reader;
      const form = field === EXPONENTIAL_FIELD ? this.#formOf(from, to) : 'ranges';
      reader.at = from;
      while (reader.next(to)) {
        if (reader.field !== 1) continue;
        reader.expect(BYTES);
        const { start: pointStart, end: pointEnd } = reader;
        if (field === HISTOGRAM_FIELD) this.#points.histogram(pointStart, pointEnd);
        else if (field === EXPONENTIAL_FIELD) this.#points.exponential(pointStart, pointEnd, form);
        else if (field === SUMMARY_FIELD) this.#points.summary(pointStart, pointEnd);
        else this.#points.number(pointStart, pointEnd);
        reader.at = pointEnd;
      }
    }
  }

  #countPoints(start: number, end: number): number {
    const reader = this.#reader;
    let points = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (typeOfField[reader.field] === undefined) continue;
      const { start: from, end: to } = reader;
      reader.at = from;
      while (reader.next(to)) if (reader.field === 1) points++;
    }
    return points;
  }

  /** What becomes of the points of the ExponentialHistogram that lies there. */
  #formOf(start: number, end: number): 'ranges' | 'delta' | 'total' {
    if (!this.#hasNative) return 'ranges';
    const reader = this.#reader;
    let temporality = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 2) continue;
      reader.expect(VARINT);
      temporality = reader.low;
    }
    return temporality === DELTA ? 'delta' : 'total';
  }

  #isMonotonic(start: number, end: number): boolean {
    const reader = this.#reader;
    let isMonotonic = false;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 3) continue;
      reader.expect(VARINT);
      isMonotonic = reader.low !== 0 || reader.high !== 0;
    }
    return isMonotonic;
  }

  /** What the pair of a metric's metadata says of its type. */
  #toldType(start: number, end: number): number | undefined {
    if (this.#attributes.keyOf(start, end) !== 'prometheus.type') return undefined;
    const text = this.#attributes.textOf(start, end);
    return Object.hasOwn(typeOfText, text) ? typeOfText[text] : undefined;
  }
}

function isSame(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let at = start, other = otherStart; at < end; at++, other++)
    if (bytes[at] !== bytes[other]) return false;
  return true;
}
