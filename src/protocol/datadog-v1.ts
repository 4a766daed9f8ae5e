/**
 * Series of DataDog's API, version 1:
 *
 *     {"series":[{"metric":"a.b","host":"h","points":[[1700000000,1.5]],"tags":["env:prod","single"]}]}
 *
 * What is not of this form refuses the request. https://docs.datadoghq.com/api/latest/metrics/#submit-metrics
 */
import { receiveBody } from './content-encoding.ts';
import {
  ACCEPTED,
  type DatadogOptions,
  datadogOptions,
  json,
  routesOf,
  SIZE_OPTION,
  writeSeries,
} from './datadog.ts';
import { FieldError, parseFields } from './json-fields.ts';
import type { ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const SERIES_PATH = '/datadog/api/v1/series';

/** What agents send besides: it is answered and thrown away. */
const answers = {
  '/datadog/api/v1/check_run': ACCEPTED,
  '/datadog/api/v1/validate': json(200, '{"valid":true}'),
  '/datadog/api/v1/metadata': json(200, '{}'),
  '/datadog/intake': json(200, '{}'),
} as const;

function receive(head: RequestHead): Reception {
  const answer = answers[head.route.counterPath as keyof typeof answers];
  return answer === undefined ? receiveBody(head) : { kind: 'answer', isCounted: true, answer };
}

function parse(bytes: Uint8Array, request: ParseRequest<DatadogOptions>, sink: SeriesSink): ParseFailure {
  const { options, receivedMs } = request;
  const how = { sanitize: options['datadog.sanitizeMetricName'], receivedMs, isExact: false };
  try {
    for (const series of parseFields(bytes).objects('series')) {
      const labels = ['host', 'device'].map((name) => [name, series.text(name)] as const);
      writeSeries(
        {
          metric: series.text('metric'),
          labels: labels.filter(([, value]) => value !== ''),
          tags: series.texts('tags'),
          points: series.tuples('points').map(([timestampS = 0, value = 0]) => [timestampS, value]),
        },
        how,
        sink,
      );
    }
  } catch (error) {
    if (error instanceof FieldError) return `cannot parse the body: ${error.message}`;
    throw error;
  }
  return undefined;
}

export const datadogV1: Protocol = {
  name: 'datadogv1',
  family: 'datadog',
  summary: "Series of DataDog's API, version 1, and what agents ask besides.",
  routes: routesOf([SERIES_PATH, ...Object.keys(answers)]),
  options: datadogOptions,
  sizeOption: SIZE_OPTION,
  accepted: ACCEPTED,
  receive,
  parse,
};
