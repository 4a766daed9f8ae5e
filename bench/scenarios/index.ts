/** The registry of scenarios; the keys are the names that `--scenario` takes. */
import type { Scenario } from '../scenario.ts';
import { acknowledgement } from './acknowledgement.ts';
import { aggregate } from './aggregate.ts';
import { aggregateMillion } from './aggregate-million.ts';
import { aggregateTotal } from './aggregate-total.ts';
import { churn } from './churn.ts';
import { deduplicate } from './deduplicate.ts';
import { idle } from './idle.ts';
import { importTwoGigabytes } from './import-two-gigabytes.ts';
import { influx } from './influx.ts';
import { influxGzip } from './influx-gzip.ts';
import { jsonLines } from './json-lines.ts';
import { millionSeries } from './million-series.ts';
import { oneDead } from './one-dead.ts';
import { opentelemetry } from './opentelemetry.ts';
import { outage } from './outage.ts';
import { passThroughSnappy } from './pass-through-snappy.ts';
import { passThroughZstd } from './pass-through-zstd.ts';
import { prometheusText } from './prometheus-text.ts';
import { relabel } from './relabel.ts';
import { replicateTwo } from './replicate-two.ts';
import { shardFour } from './shard-four.ts';
import { smallRequests } from './small-requests.ts';
import { throughput } from './throughput.ts';
import { urlRules } from './url-rules.ts';

export const scenarios = {
  'pass-through-snappy': passThroughSnappy,
  'pass-through-zstd': passThroughZstd,
  'replicate-two': replicateTwo,
  'small-requests': smallRequests,
  relabel,
  'url-rules': urlRules,
  aggregate,
  'aggregate-total': aggregateTotal,
  'aggregate-million': aggregateMillion,
  deduplicate,
  'shard-four': shardFour,
  churn,
  'million-series': millionSeries,
  influx,
  'influx-gzip': influxGzip,
  'json-lines': jsonLines,
  'prometheus-text': prometheusText,
  opentelemetry,
  'import-two-gigabytes': importTwoGigabytes,
  outage,
  'one-dead': oneDead,
  acknowledgement,
  throughput,
  idle,
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
