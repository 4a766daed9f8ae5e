/**
 * One series from a line of text: `metric{a="b"}`, with or without a value behind it, as in the exposition format, or an
 * object of JSON: `{"metric":{"__name__":"m","a":"b"},…}` as /api/v1/export writes it, or the labels alone as
 * /api/v1/series lists them. Labels keep their order, with the name of the metric first where it stands first.
 */
import { Labels } from './labels.ts';

const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const METRIC = /([a-zA-Z_:][\w:.]*)(?:\s+(?=\{))?/y;
const LABEL = new RegExp(`\\s*(${QUOTED}|[a-zA-Z_][\\w:.]*)\\s*(?:=\\s*(${QUOTED})\\s*)?(,|(?=\\}))`, 'y');
/** What may follow: nothing, or a value and perhaps a timestamp, and a comment or an exemplar. */
const REST = /^(?:[-+]?(?:[\d.][\d.eE+-]*|inf|nan)(?:\s+-?[\d.]+)?)?(?:\s*#.*)?$/i;

/** Undefined when the line is no series. */
export function parseSeriesLine(line: string): Labels | undefined {
  return line.startsWith('{"') ? (fromJson(line) ?? fromText(line)) : fromText(line);
}

function fromJson(line: string): Labels | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined; // `{"a.metric",b="c"}` begins like JSON
  }
  const { metric = parsed } = parsed as { metric?: unknown };
  if (typeof metric !== 'object' || metric === null || Array.isArray(metric)) return undefined;
  const pairs = Object.entries(metric);
  return pairs.length > 0 && pairs.every(([, value]) => typeof value === 'string')
    ? Labels.of(pairs)
    : undefined;
}

function fromText(line: string): Labels | undefined {
  const labels = new Labels();
  METRIC.lastIndex = 0;
  const metric = METRIC.exec(line)?.[1];
  if (metric !== undefined) labels.push('__name__', metric);
  // A regular expression that found nothing begins anew at the beginning.
  let at = METRIC.lastIndex;
  if (line[at] === '{') {
    const end = readLabels(line, at + 1, labels);
    if (end === undefined) return undefined;
    at = end;
  } else if (/^\S/.test(line.slice(at))) return undefined;
  return labels.length > 0 && REST.test(line.slice(at).trim()) ? labels : undefined;
}

/** Where the closing brace ends; undefined when there is something else. */
function readLabels(line: string, from: number, labels: Labels): number | undefined {
  LABEL.lastIndex = from;
  let at = from;
  for (;;) {
    const match = LABEL.exec(line);
    if (match === null) break;
    const [, name = '', value, comma] = match;
    // A quoted text alone is a metric name that the old syntax could not write.
    if (value === undefined && !name.startsWith('"')) return undefined;
    if (value === undefined) labels.push('__name__', unquoted(name));
    else labels.push(unquoted(name), unquoted(value));
    at = LABEL.lastIndex;
    if (comma !== ',') break;
  }
  const closing = /^\s*\}/.exec(line.slice(at));
  return closing === null ? undefined : at + closing[0].length;
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}
