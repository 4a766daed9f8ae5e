/** The registry of ingest protocols: one line each. */
import { csv } from './csv.ts';
import { datadogSketches } from './datadog-sketches.ts';
import { datadogV1 } from './datadog-v1.ts';
import { datadogV2 } from './datadog-v2.ts';
import { graphite } from './graphite.ts';
import { influx } from './influx.ts';
import { jsonLines } from './json-lines.ts';
import { native } from './native.ts';
import { newRelic } from './new-relic.ts';
import { opentsdb } from './opentsdb.ts';
import { opentsdbHttp } from './opentsdb-http.ts';
import { prometheusText } from './prometheus-text.ts';
import type { OptionValues, Protocol } from './protocol.ts';
import { remoteWrite } from './remote-write.ts';
import { statsd } from './statsd.ts';

export const protocols = {
  promremotewrite: remoteWrite,
  prometheus: prometheusText,
  influx,
  vmimport: jsonLines,
  csvimport: csv,
  native,
  graphite,
  opentsdb,
  opentsdbhttp: opentsdbHttp,
  datadogv1: datadogV1,
  datadogv2: datadogV2,
  datadogsketches: datadogSketches,
  newrelic: newRelic,
  statsd,
} satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof protocols;

/** The protocol that a body names; undefined for a body of a newer version, from the journal. */
export function protocolOf(name: string): Protocol | undefined {
  return (protocols as Readonly<Record<string, Protocol>>)[name];
}

/** The values of all protocols' options, out of all values there are. */
export function protocolOptions(values: OptionValues): OptionValues {
  const names = Object.values<Protocol>(protocols).flatMap(({ options }) => Object.keys(options));
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}
