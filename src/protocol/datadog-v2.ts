/**
 * Series of DataDog's API, version 2, as JSON
 *
 *     {"series":[{"metric":"a.b","points":[{"timestamp":1700000000,"value":1.5}],
 *                 "resources":[{"type":"host","name":"h"}],"tags":["env:prod"],"source_type_name":"s"}]}
 *
 * or, with `Content-Type: application/x-protobuf`, as a protobuf message:
 *
 *     Payload      1 series: MetricSeries
 *     MetricSeries 1 resources: Resource, 2 metric, 3 tags, 4 points: Point, 7 source_type_name
 *     Resource     1 type, 2 name
 *     Point        1 value: double, 2 timestamp: int64
 *
 * What is not of this form refuses the request. https://docs.datadoghq.com/api/latest/metrics/#submit-metrics
 */
import protobuf from 'protobufjs/minimal.js';
import { options } from '../config/option.ts';
import { messageOf } from '../util/error.ts';
import { receiveBody } from './content-encoding.ts';
import {
  ACCEPTED,
  type DatadogOptions,
  type DatadogSeries,
  routesOf,
  SIZE_OPTION,
  writeSeries,
} from './datadog.ts';
import { FieldError, type Fields, parseFields } from './json-fields.ts';
import { readFields, readMessage } from './protobuf-fields.ts';
import type { ParseFailure, ParseRequest, Protocol, RequestHead } from './protocol.ts';
import { type SeriesSink, SinkFull } from './series-sink.ts';

const PROTOBUF = 'application/x-protobuf';

interface Draft {
  metric: string;
  sourceTypeName: string;
  readonly resources: [type: string, name: string][];
  readonly tags: string[];
  readonly points: [timestampS: number, value: number][];
}

function seriesOf({ metric, sourceTypeName, resources, tags, points }: Draft): DatadogSeries {
  const source = sourceTypeName === '' ? [] : [['source_type_name', sourceTypeName] as const];
  return { metric, labels: [...resources, ...source], tags, points };
}

function draftOf(series: Fields): Draft {
  return {
    metric: series.text('metric'),
    sourceTypeName: series.text('source_type_name'),
    resources: series.objects('resources').map((one) => [one.text('type'), one.text('name')]),
    tags: series.texts('tags'),
    points: series.objects('points').map((one) => [one.integer('timestamp'), one.number('value')]),
  };
}

function readSeries(reader: protobuf.Reader): Draft {
  const draft: Draft = { metric: '', sourceTypeName: '', resources: [], tags: [], points: [] };
  readMessage(reader, (field) => {
    if (field === 1) draft.resources.push(readResource(reader));
    else if (field === 2) draft.metric = reader.string();
    else if (field === 3) draft.tags.push(reader.string());
    else if (field === 4) draft.points.push(readPoint(reader));
    else if (field === 7) draft.sourceTypeName = reader.string();
    else return false;
    return true;
  });
  return draft;
}

function readResource(reader: protobuf.Reader): [string, string] {
  const resource: [string, string] = ['', ''];
  readMessage(reader, (field) => {
    if (field !== 1 && field !== 2) return false;
    resource[field - 1] = reader.string();
    return true;
  });
  return resource;
}

function readPoint(reader: protobuf.Reader): [number, number] {
  const point: [number, number] = [0, 0];
  readMessage(reader, (field) => {
    if (field === 1) point[1] = reader.double();
    else if (field === 2) point[0] = Number(reader.int64());
    else return false;
    return true;
  });
  return point;
}

function eachSeries(bytes: Uint8Array, isProtobuf: boolean, take: (series: DatadogSeries) => void): void {
  if (!isProtobuf) {
    for (const series of parseFields(bytes).objects('series')) take(seriesOf(draftOf(series)));
    return;
  }
  const reader = protobuf.Reader.create(bytes);
  readFields(reader, bytes.byteLength, (field) => {
    if (field !== 1) return false;
    take(seriesOf(readSeries(reader)));
    return true;
  });
}

function parse(bytes: Uint8Array, request: ParseRequest<DatadogOptions>, sink: SeriesSink): ParseFailure {
  const { options, parameters, receivedMs } = request;
  const isProtobuf = parameters.format === 'protobuf';
  const how = { sanitize: options['datadog.sanitizeMetricName'], receivedMs, isExact: isProtobuf };
  try {
    eachSeries(bytes, isProtobuf, (series) => writeSeries(series, how, sink));
  } catch (error) {
    // The reader of protobuf throws whatever it likes.
    if (error instanceof SinkFull || !(isProtobuf || error instanceof FieldError)) throw error;
    return `cannot parse the body: ${messageOf(error)}`;
  }
  return undefined;
}

export const datadogV2: Protocol = {
  name: 'datadogv2',
  family: 'datadog',
  summary: "Series of DataDog's API, version 2, as JSON or protobuf.",
  routes: routesOf(['/datadog/api/v2/series']),
  options: options({}),
  sizeOption: SIZE_OPTION,
  accepted: ACCEPTED,
  receive: (head: RequestHead) =>
    receiveBody(head, {
      parameters: { format: head.header('content-type') === PROTOBUF ? 'protobuf' : 'json' },
    }),
  parse,
};
