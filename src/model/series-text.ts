/** Reads one series as people write it: `name{label="value",…}`, or only its labels. */
import { Labels } from './labels.ts';

const SPACE = /\s*/y;
const METRIC = /[^\s{}",=]+/y;
const LABEL = /([^\s{}",=]+)\s*=\s*"((?:[^"\\]|\\.)*)"/sy;
/** Stands alone in UTF-8 names: `{"a metric"}`. */
const QUOTED = /"((?:[^"\\]|\\.)*)"(\s*=\s*"((?:[^"\\]|\\.)*)")?/sy;

/** A text says what is wrong, and where. */
export function parseSeries(text: string): Labels | string {
  const labels = new Labels();
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text) ?? undefined;
    at += found?.[0].length ?? 0;
    return found;
  };
  const take = (character: string): boolean => {
    match(SPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  };
  const expected = (what: string) => `at character ${at + 1} ${what} is expected`;
  const add = (name: string, value: string) => labels.push(unescaped(name), unescaped(value), labels.length);

  match(SPACE);
  const metric = match(METRIC)?.[0];
  if (metric !== undefined) add('__name__', metric);
  if (take('{')) {
    while (!take('}')) {
      match(SPACE);
      const [, name, value = ''] = match(LABEL) ?? [];
      if (name !== undefined) add(name, value);
      else {
        const quoted = match(QUOTED);
        if (quoted === undefined) return expected('label="value"');
        if (quoted[2] === undefined) add('__name__', quoted[1]!);
        else add(quoted[1]!, quoted[3]!);
      }
      match(SPACE);
      if (!take(',') && text[at] !== '}') return expected('a comma or }');
    }
  }
  match(SPACE);
  return at < text.length ? expected('the end') : labels;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, (_, character: string) => (character === 'n' ? '\n' : character));
}
