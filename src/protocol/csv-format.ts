/**
 * The columns of a CSV import, from the query parameter `format`: a list of `position:type:more`, positions from 1.
 *
 *     1:label:host,2:metric:usage,3:time:unix_s
 */
import { goTimeReader, type TimeReader } from './go-time.ts';

const POSITION_MAX = 65_536;

export type TimeKind = 'unix_s' | 'unix_ms' | 'unix_ns' | 'text';

export type Column =
  | { readonly type: 'metric' | 'label'; readonly position: number; readonly name: Uint8Array }
  /** `read` is there for the kind `text` only. */
  | { readonly type: 'time'; readonly position: number; readonly kind: TimeKind; readonly read?: TimeReader };

export type CsvFormat = { readonly columns: readonly Column[] } | { readonly error: string };

/** The columns in the order of their positions. */
export function parseCsvFormat(text: string): CsvFormat {
  const columns: Column[] = [];
  for (const entry of text.split(',')) {
    const column = parseColumn(entry);
    if (typeof column === 'string') return refused(entry, column);
    if (columns.some(({ position }) => position === column.position)) {
      return refused(entry, `position ${column.position} is there twice`);
    }
    if (column.type === 'time' && columns.some(({ type }) => type === 'time')) {
      return refused(entry, 'there is a time column already');
    }
    columns.push(column);
  }
  if (!columns.some(({ type }) => type === 'metric')) return refused(text, 'there is no metric column');
  return { columns: columns.toSorted((a, b) => a.position - b.position) };
}

/** The column, or what is wrong with it. */
function parseColumn(entry: string): Column | string {
  const [positionText = '', type = '', ...rest] = entry.split(':');
  // Names and layouts may hold colons.
  const more = rest.join(':');
  if (rest.length === 0) return 'it is not of the form position:type:name';
  const position = Number(positionText);
  if (!/^\d+$/.test(positionText) || position < 1 || position > POSITION_MAX) {
    return `the position is not an integer from 1 to ${POSITION_MAX}`;
  }
  if (type === 'time') return timeColumn(position, more);
  if (type !== 'metric' && type !== 'label') return 'the type is not one of time, metric and label';
  return more === '' ? 'the name is empty' : { type, position, name: Buffer.from(more) };
}

function timeColumn(position: number, format: string): Column | string {
  if (format === 'unix_s' || format === 'unix_ms' || format === 'unix_ns') {
    return { type: 'time', position, kind: format };
  }
  if (format === 'rfc3339') {
    return { type: 'time', position, kind: 'text', read: goTimeReader('2006-01-02T15:04:05Z07:00') };
  }
  if (format.startsWith('custom:')) {
    return { type: 'time', position, kind: 'text', read: goTimeReader(format.slice('custom:'.length)) };
  }
  return 'the format of the time is not one of unix_s, unix_ms, unix_ns, rfc3339 and custom:<layout>';
}

function refused(entry: string, why: string): CsvFormat {
  return {
    error: `cannot read the query parameter format at ${JSON.stringify(entry)}: ${why}; write for example 1:label:host,2:metric:usage,3:time:unix_s`,
  };
}
