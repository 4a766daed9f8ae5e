/**
 * The workload in the formats of the protocols: what is sent, where and with which headers, and the WriteRequest that a
 * relay has to make of it, series by series in the same bytes.
 */
import { gzipSync } from 'node:zlib';
import {
  type EncodedSeries,
  encodeRequest,
  type Label,
  labelsOf,
  makeWorkload,
  sampleValue,
  scrapeMs,
  type WorkloadSpec,
} from './workload.ts';

/** A body, and what must come of it. */
export interface SentBody {
  readonly body: Uint8Array;
  readonly message: Uint8Array;
  readonly samples: number;
}

export interface BodyFormat {
  readonly path: string;
  readonly headers: readonly string[];
  make(spec: WorkloadSpec): SentBody[];
}

/** Telegraf sends so many fields of one measurement and one set of tags, more or less. */
const FIELDS_PER_LINE = 10;
const SAMPLES_PER_JSON_LINE = 10;

interface Line {
  readonly text: string;
  readonly series: readonly EncodedSeries[];
}

/** The series of one line from `index` on. */
type LineMaker = (index: number, scrape: number) => Line;

function bodiesOf(spec: WorkloadSpec, seriesPerLine: number, lineOf: LineMaker): SentBody[] {
  const bodies: SentBody[] = [];
  for (let scrape = 0; scrape < spec.scrapes; scrape++) {
    for (let from = 0; from < spec.series; from += spec.seriesPerRequest) {
      const lines: Line[] = [];
      const to = Math.min(from + spec.seriesPerRequest, spec.series);
      for (let index = from; index < to; index += seriesPerLine) lines.push(lineOf(index, scrape));
      const series = lines.flatMap((line) => line.series);
      bodies.push({
        body: Buffer.from(lines.map(({ text }) => text).join('')),
        message: encodeRequest(series),
        samples: series.reduce((sum, { samples }) => sum + samples.length, 0),
      });
    }
  }
  return bodies;
}

const nameOf = (labels: readonly Label[]) => labels.find(([name]) => name === '__name__')![1];
const othersOf = (labels: readonly Label[]) => labels.filter(([name]) => name !== '__name__');

/** Ten fields a line, so each line is ten series. */
function influxLine(index: number, scrape: number): Line {
  const labels = labelsOf(index);
  const measurement = nameOf(labels);
  const tags = othersOf(labels);
  const timestampMs = scrapeMs(scrape);
  const fields = Array.from({ length: FIELDS_PER_LINE }, (_, field) => ({
    key: `field_${field}`,
    value: sampleValue(index + field, scrape),
  }));
  const key = [measurement, ...tags.map(([name, value]) => `${name}=${value}`)].join(',');
  return {
    text: `${key} ${fields.map((field) => `${field.key}=${field.value}`).join(',')} ${timestampMs}000000\n`,
    series: fields.map((field) => ({
      labels: [['__name__', `${measurement}_${field.key}`], ...tags],
      samples: [[field.value, timestampMs]],
    })),
  };
}

function jsonLine(index: number, scrape: number): Line {
  const labels = labelsOf(index);
  const samples = Array.from({ length: SAMPLES_PER_JSON_LINE }, (_, nth) => {
    const at = scrape * SAMPLES_PER_JSON_LINE + nth;
    return [sampleValue(index, at), scrapeMs(at)] as const;
  });
  const object = {
    metric: Object.fromEntries(labels),
    values: samples.map(([value]) => value),
    timestamps: samples.map(([, timestampMs]) => timestampMs),
  };
  return { text: `${JSON.stringify(object)}\n`, series: [{ labels, samples }] };
}

function prometheusLine(index: number, scrape: number): Line {
  const labels = labelsOf(index);
  const timestampMs = scrapeMs(scrape);
  const value = sampleValue(index, scrape);
  const rest = othersOf(labels).map(([name, text]) => `${name}="${text}"`);
  return {
    text: `${nameOf(labels)}{${rest.join(',')}} ${value} ${timestampMs}\n`,
    series: [{ labels, samples: [[value, timestampMs]] }],
  };
}

const influx: BodyFormat = {
  path: '/write',
  headers: ['Content-Type: text/plain'],
  make: (spec) => bodiesOf(spec, FIELDS_PER_LINE, influxLine),
};

export const bodyFormats = {
  'remote-write': {
    path: '/api/v1/write',
    headers: [
      'Content-Type: application/x-protobuf',
      'Content-Encoding: snappy',
      'X-Prometheus-Remote-Write-Version: 0.1.0',
    ],
    make: (spec) =>
      makeWorkload(spec).map(({ raw, compressed, samples }) => ({ body: compressed, message: raw, samples })),
  },
  influx,
  'influx-gzip': {
    ...influx,
    headers: [...influx.headers, 'Content-Encoding: gzip'],
    make: (spec) => influx.make(spec).map((sent) => ({ ...sent, body: gzipSync(sent.body) })),
  },
  'json-lines': {
    path: '/api/v1/import',
    headers: ['Content-Type: application/json'],
    make: (spec) => bodiesOf(spec, 1, jsonLine),
  },
  'prometheus-text': {
    path: '/api/v1/import/prometheus',
    headers: ['Content-Type: text/plain'],
    make: (spec) => bodiesOf(spec, 1, prometheusLine),
  },
} satisfies Record<string, BodyFormat>;

export type FormatName = keyof typeof bodyFormats;
