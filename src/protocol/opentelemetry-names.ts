/**
 * Names of metrics and labels as Prometheus likes them, for `-opentelemetry.usePrometheusNaming` and
 * `-opentelemetry.convertMetricNamesToPrometheus`:
 *
 *     http.server.duration, unit s, counter → http_server_duration_seconds_total
 *     1st.label → key_1st_label
 *
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */

/** `MetricType` of proto/remote.proto. */
export const UNKNOWN = 0;
export const COUNTER = 1;
export const GAUGE = 2;
export const HISTOGRAM = 3;
export const SUMMARY = 5;
export const INFO = 6;
export const STATESET = 7;

/** Units of UCUM, and what they are called. */
const units: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

/** What follows the slash of a unit: `m/s`. */
const perUnits: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** The name of a metric, with its unit and its kind at the end. @param type `MetricType` of proto/remote.proto. */
export function prometheusMetricName(name: string, unit: string, type: number): string {
  const tokens = name.split(/[/_.\-: ]/).filter((token) => token !== '');
  const slash = unit.indexOf('/');
  const main = nameOfUnit(slash < 0 ? unit : unit.slice(0, slash), units);
  const per = nameOfUnit(slash < 0 ? '' : unit.slice(slash + 1), perUnits);
  if (main !== '' && !tokens.includes(main)) tokens.push(main);
  if (per !== '' && !tokens.includes(per)) tokens.push('per', per);
  if (type === COUNTER) moveToEnd(tokens, 'total');
  else if (type === GAUGE && unit === '1') moveToEnd(tokens, 'ratio');
  return tokens.join('_');
}

/** Empty for none, and for annotations (`{requests}`). */
function nameOfUnit(text: string, names: ReadonlyMap<string, string>): string {
  const unit = text.trim();
  return unit.includes('{') ? '' : (names.get(unit) ?? unit);
}

function moveToEnd(tokens: string[], last: string): void {
  const at = tokens.indexOf(last);
  if (at >= 0) tokens.splice(at, 1);
  tokens.push(last);
}

/** @param hasKeyPrefix whether `_x` becomes `key_x`. */
export function prometheusLabelName(name: string, hasKeyPrefix: boolean): string {
  const clean = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (/^[0-9]/.test(clean)) return `key_${clean}`;
  return hasKeyPrefix && /^_(?!_)/.test(clean) ? `key${clean}` : clean;
}
