/**
 * The workload as OpenTelemetry sends it: every target is a resource with one scope, three histograms of eleven bounds and
 * 58 numbers, half of them sums, half gauges: 100 series. Labels come in the order of resource, scope and data point.
 */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { SentBody } from './formats.ts';
import {
  type EncodedSeries,
  encodeRequest,
  type Label,
  labelsOf,
  sampleValue,
  scrapeMs,
  type WorkloadSpec,
} from './workload.ts';

const SERIES_PER_TARGET = 100;
const HISTOGRAMS = ['http.server.request.duration', 'http.server.response.body.size', 'rpc.server.duration'];
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Buckets, count and sum. */
const SERIES_PER_HISTOGRAM = BOUNDS.length + 1 + 2;
const OF_TARGET = ['cluster', 'container', 'instance', 'job', 'namespace', 'node', 'pod'];
const SCOPE: readonly Label[] = [
  ['scope.name', 'io.opentelemetry.contrib.runtime'],
  ['scope.version', '2.10.0'],
];

const schema = new URL('../../proto/opentelemetry.proto', import.meta.url);
const requestType = protobuf
  .loadSync(fileURLToPath(schema))
  .lookupType('opentelemetry.ExportMetricsServiceRequest');

const attributesOf = (labels: readonly Label[]) =>
  labels.map(([key, stringValue]) => ({ key, value: { stringValue } }));

interface Made {
  readonly metric: object;
  readonly series: readonly EncodedSeries[];
}

function histogram(name: string, first: number, scrape: number, common: readonly Label[]): Made {
  const timestampMs = scrapeMs(scrape);
  const bucketCounts = [...BOUNDS, 0].map((_, bucket) =>
    Math.ceil(Math.abs(sampleValue(first + bucket, scrape))),
  );
  const count = bucketCounts.reduce((all, one) => all + one, 0);
  const sum = Math.abs(sampleValue(first, scrape)) / 8;
  const own: Label[] = [['http.route', `/api/v1/orders/${first % 9}`]];
  const point = {
    timeUnixNano: `${timestampMs}000000`,
    startTimeUnixNano: `${scrapeMs(0)}000000`,
    count,
    sum,
    bucketCounts,
    explicitBounds: BOUNDS,
    attributes: attributesOf(own),
  };
  const series = (suffix: string, value: number, more: readonly Label[] = []): EncodedSeries => ({
    labels: [['__name__', `${name}${suffix}`], ...common, ...own, ...more],
    samples: [[value, timestampMs]],
  });
  let below = 0;
  const buckets = bucketCounts.map((one, bucket) => {
    below += one;
    return series('_bucket', below, [['le', bucket < BOUNDS.length ? String(BOUNDS[bucket]) : '+Inf']]);
  });
  return {
    metric: { name, unit: 's', histogram: { aggregationTemporality: 2, dataPoints: [point] } },
    series: [series('_count', count), series('_sum', sum), ...buckets],
  };
}

/** Two data points of one metric. */
function numbers(name: string, first: number, scrape: number, common: readonly Label[]): Made {
  const timestampMs = scrapeMs(scrape);
  const points = ['user', 'system'].map((state, nth) => {
    const own: Label[] = [
      ['cpu.mode', state],
      ['state', `s${first % 7}`],
    ];
    return { own, value: sampleValue(first + nth, scrape) };
  });
  const dataPoints = points.map(({ own, value }) => ({
    timeUnixNano: `${timestampMs}000000`,
    startTimeUnixNano: `${scrapeMs(0)}000000`,
    ...(Number.isInteger(value) ? { asInt: value } : { asDouble: value }),
    attributes: attributesOf(own),
  }));
  const isSum = first % 4 === 0;
  return {
    metric: {
      name,
      unit: '1',
      ...(isSum
        ? { sum: { dataPoints, isMonotonic: true, aggregationTemporality: 2 } }
        : { gauge: { dataPoints } }),
    },
    series: points.map(({ own, value }) => ({
      labels: [['__name__', name], ...common, ...own],
      samples: [[value, timestampMs]],
    })),
  };
}

function targetOf(first: number, scrape: number) {
  const resource = labelsOf(first).filter(([name]) => OF_TARGET.includes(name));
  const common = [...resource, ...SCOPE];
  const made = HISTOGRAMS.map((name, nth) =>
    histogram(name, first + nth * SERIES_PER_HISTOGRAM, scrape, common),
  );
  for (let index = HISTOGRAMS.length * SERIES_PER_HISTOGRAM; index < SERIES_PER_TARGET; index += 2) {
    made.push(numbers(`system.resource.metric_${index}`, first + index, scrape, common));
  }
  return {
    message: {
      resource: { attributes: attributesOf(resource) },
      scopeMetrics: [
        { scope: { name: SCOPE[0]![1], version: SCOPE[1]![1] }, metrics: made.map(({ metric }) => metric) },
      ],
    },
    series: made.flatMap(({ series }) => series),
  };
}

/** Throws unless a request has whole targets. */
export function opentelemetryBodies(spec: WorkloadSpec): SentBody[] {
  if (spec.seriesPerRequest % SERIES_PER_TARGET !== 0)
    throw new Error('a request has whole targets of 100 series');
  const bodies: SentBody[] = [];
  for (let scrape = 0; scrape < spec.scrapes; scrape++) {
    for (let from = 0; from < spec.series; from += spec.seriesPerRequest) {
      const to = Math.min(from + spec.seriesPerRequest, spec.series);
      const targets = Array.from({ length: (to - from) / SERIES_PER_TARGET }, (_, nth) =>
        targetOf(from + nth * SERIES_PER_TARGET, scrape),
      );
      const request = requestType.fromObject({ resourceMetrics: targets.map(({ message }) => message) });
      bodies.push({
        body: requestType.encode(request).finish(),
        message: encodeRequest(targets.flatMap(({ series }) => series)),
        samples: to - from,
      });
    }
  }
  return bodies;
}
