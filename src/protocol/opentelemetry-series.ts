/**
 * The labels of data points: most of them are those of the series before. The labels of a resource are written for its first
 * series and copied from series to series, those of a scope and of a data point likewise, and the name where it is the same.
 */
import type { Attributes } from './opentelemetry-attributes.ts';
import type { SeriesSink } from './series-sink.ts';

const NONE = -1;

export class PointSeries {
  readonly #sink: SeriesSink;
  readonly #attributes: Attributes;
  #writeResource: () => void = () => {};
  #writeScope: () => void = () => {};
  #name: Uint8Array = new Uint8Array();
  #nameStart = 0;
  #nameEnd = 0;
  /** Of the last series, if that was of the metric at hand. */
  #lastSuffix: Uint8Array | undefined;
  /**
   * Where in the last series the labels began that are not its own, and how far those of the resource, of the scope and of
   * the point go from there; NONE: not yet.
   */
  #from = 0;
  #resourceLength = NONE;
  #scopeLength = NONE;
  #pointLength = NONE;
  /** How many labels each of them has. */
  #resourceLabels = 0;
  #scopeLabels = 0;
  #pointLabels = 0;
  /** Of the sink, where the labels began that are not the series' own. */
  #labelsBefore = 0;

  constructor(sink: SeriesSink, attributes: Attributes) {
    this.#sink = sink;
    this.#attributes = attributes;
  }

  /** @param write writes the labels of the resource into the series at hand; called once at most. */
  beginResource(write: () => void): void {
    this.#writeResource = write;
    this.#resourceLength = NONE;
  }

  /** The same for the scope. */
  beginScope(write: () => void): void {
    this.#writeScope = write;
    this.#scopeLength = NONE;
  }

  beginMetric(name: Uint8Array, start: number, end: number): void {
    this.#name = name;
    this.#nameStart = start;
    this.#nameEnd = end;
    this.#lastSuffix = undefined;
  }

  beginPoint(): void {
    this.#pointLength = NONE;
  }

  /**
   * Begins a series of the point, with all labels but those that are the series' own; the reader stands anywhere then.
   * @param suffix of the name; the same bytes for the same suffix.
   * @param start where the attributes of the point begin, in fields of this number; nothing has none.
   */
  begin(suffix: Uint8Array, start: number, end: number, field: number): void {
    const sink = this.#sink;
    const before = this.#from;
    const isPoint = this.#pointLength !== NONE;
    const known = isPoint ? this.#pointLength : this.#scopeLength;
    const labels = isPoint ? this.#pointLabels : this.#scopeLabels;
    sink.begin();
    this.#labelsBefore = sink.labels + 1;
    if (suffix === this.#lastSuffix && known !== NONE) {
      // The name as well is that of the last series.
      sink.repeat(0, before + known, labels + 1);
    } else {
      sink.nameWith(this.#name, this.#nameStart, this.#nameEnd, suffix);
      this.#lastSuffix = suffix;
      this.#from = sink.position;
      if (known !== NONE) sink.repeat(before, before + known, labels);
      else this.#writeCommon(before);
    }
    if (isPoint) return;
    if (end > start) this.#attributes.writeAll(start, end, field);
    this.#pointLength = sink.position - this.#from;
    this.#pointLabels = sink.labels - this.#labelsBefore;
  }

  /** @param before where the labels of the resource began in the last series. */
  #writeCommon(before: number): void {
    const sink = this.#sink;
    if (this.#resourceLength !== NONE)
      sink.repeat(before, before + this.#resourceLength, this.#resourceLabels);
    else this.#writeResource();
    this.#resourceLength = sink.position - this.#from;
    this.#resourceLabels = sink.labels - this.#labelsBefore;
    this.#writeScope();
    this.#scopeLength = sink.position - this.#from;
    this.#scopeLabels = sink.labels - this.#labelsBefore;
  }

  /** For messages. */
  get shownName(): string {
    return JSON.stringify(Buffer.from(this.#name.subarray(this.#nameStart, this.#nameEnd)).toString());
  }
}
