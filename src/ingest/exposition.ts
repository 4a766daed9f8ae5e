/** Reads the Prometheus text exposition format as our own `/metrics` writes it. */
import type { Label } from '../model/body.ts';

export interface ExposedSample {
  readonly name: string;
  readonly labels: readonly Label[];
  readonly value: number;
}

export interface ExposedFamily {
  readonly name: string;
  /** As written after `# TYPE`; empty if it was not. */
  type: string;
  help: string;
}

export interface Exposition {
  readonly samples: readonly ExposedSample[];
  readonly families: readonly ExposedFamily[];
}

const SAMPLE =
  /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(NaN|[+-]?Inf|[+-]?[\d.][\d.eE+-]*)(?:[ \t]+-?\d+)?[ \t]*$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const COMMENT = /^# (HELP|TYPE) (\S+) ?(.*)$/;

const specials: Readonly<Record<string, number>> = {
  '+Inf': Number.POSITIVE_INFINITY,
  Inf: Number.POSITIVE_INFINITY,
  '-Inf': Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
};

/** Lines that are no sample are left out: this is for metrics that we wrote ourselves. */
export function parseExposition(text: string): Exposition {
  const samples: ExposedSample[] = [];
  const families = new Map<string, ExposedFamily>();
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) readComment(line, families);
    else {
      const match = SAMPLE.exec(line);
      if (match !== null) samples.push(sampleOf(match));
    }
  }
  return { samples, families: [...families.values()] };
}

function sampleOf(match: RegExpExecArray): ExposedSample {
  const [, name = '', labelText = '', valueText = ''] = match;
  const labels = [...labelText.matchAll(LABEL)].map(([, label = '', value = '']) => ({
    name: label,
    value: value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
  }));
  return { name, labels, value: specials[valueText] ?? Number(valueText) };
}

function readComment(line: string, families: Map<string, ExposedFamily>): void {
  const match = COMMENT.exec(line);
  if (match === null) return;
  const [, what, name = '', rest = ''] = match;
  const family = families.get(name) ?? { name, type: '', help: '' };
  families.set(name, family);
  if (what === 'TYPE') family.type = rest;
  else family.help = rest.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}
