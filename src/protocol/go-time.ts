/**
 * Times in a layout of Go, which is the reference time `Mon Jan 2 15:04:05 MST 2006` as the times look. What a layout does
 * not tell is that of January 1 of year 0, UTC. The abbreviation of a zone tells nothing but `GMT+3` and its like.
 * https://pkg.go.dev/time#pkg-constants
 */
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const SHORT_LENGTH = 3;

type Field = 'year' | 'month' | 'day' | 'yearDay' | 'hour' | 'minute' | 'second';

/** What was read so far. */
interface Found {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  milliseconds: number;
  isAfternoon: boolean | undefined;
  offsetMinutes: number;
}

/** Reads an element at `at`; returns what follows it, or -1. */
type Reader = (text: string, at: number, found: Found) => number;

const isDigit = (char: string | undefined) => char !== undefined && char >= '0' && char <= '9';

function digitsAt(text: string, at: number, min: number, max: number): number {
  let end = at;
  while (end - at < max && isDigit(text[end])) end++;
  return end - at < min ? -1 : end;
}

const number =
  (field: Field, min: number, max: number): Reader =>
  (text, at, found) => {
    const end = digitsAt(text, at, min, max);
    if (end >= 0) found[field] = Number(text.slice(at, end));
    return end;
  };

/** A number that blanks fill up to its width. */
const padded =
  (field: Field, width: number): Reader =>
  (text, at, found) => {
    let start = at;
    while (start < at + width - 1 && text[start] === ' ') start++;
    const end = digitsAt(text, start, 1, width - (start - at));
    if (end >= 0) found[field] = Number(text.slice(start, end));
    return end;
  };

const name = (
  names: readonly string[],
  isShort: boolean,
  take: (index: number, found: Found) => void,
): Reader => {
  const lengths = isShort ? names.map(() => SHORT_LENGTH) : names.map((one) => one.length);
  return (text, at, found) => {
    const index = names.findIndex((one, i) => {
      return text.slice(at, at + lengths[i]!).toLowerCase() === one.slice(0, lengths[i]);
    });
    if (index < 0) return -1;
    take(index, found);
    return at + lengths[index]!;
  };
};

const month = (isShort: boolean) =>
  name(MONTHS, isShort, (index, found) => {
    found.month = index + 1;
  });
const weekday = (isShort: boolean) => name(DAYS, isShort, () => {});

const shortYear: Reader = (text, at, found) => {
  const end = number('year', 2, 2)(text, at, found);
  if (end >= 0) found.year += found.year >= 69 ? 1900 : 2000;
  return end;
};

/** Two digits, and a fraction behind them even if the layout has none. */
const second =
  (min: number, hasFraction: boolean): Reader =>
  (text, at, found) => {
    const end = number('second', min, 2)(text, at, found);
    if (end < 0 || hasFraction || !/[.,]/.test(text[end] ?? '') || !isDigit(text[end + 1])) return end;
    return fraction(0)(text, end, found);
  };

/** @param digits how many there must be; 0 takes any number of them, none with the point too. */
const fraction =
  (digits: number): Reader =>
  (text, at, found) => {
    if (!/[.,]/.test(text[at] ?? '')) return digits === 0 ? at : -1;
    const end = digitsAt(text, at + 1, digits, digits || text.length);
    if (end < 0) return -1;
    found.milliseconds = Number(text.slice(at + 1, Math.min(end, at + 4)).padEnd(3, '0'));
    return end;
  };

const noon: Reader = (text, at, found) => {
  const word = text.slice(at, at + 2);
  if (!/^(AM|PM|am|pm)$/.test(word)) return -1;
  found.isAfternoon = word.toLowerCase() === 'pm';
  return at + 2;
};

/** `+0700` in one of its forms; with `isUtc` also `Z`. */
const offset =
  (pattern: RegExp, isUtc: boolean): Reader =>
  (text, at, found) => {
    if (isUtc && text[at] === 'Z') {
      found.offsetMinutes = 0;
      return at + 1;
    }
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return -1;
    const [whole, sign, hours, minutes = '0', seconds = '0'] = match;
    if (Number(hours) > 24 || Number(minutes) > 59 || Number(seconds) > 59) return -1;
    found.offsetMinutes = Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes) + Number(seconds) / 60);
    return at + whole.length;
  };

const zoneName: Reader = (text, at, found) => {
  const match = /^(?:GMT([+-]\d{1,2})?|UTC|[A-Z]{3,5}|[+-]\d{2,4})/.exec(text.slice(at, at + 6));
  if (match === null) return -1;
  found.offsetMinutes = Number(match[1] ?? 0) * 60;
  return at + match[0].length;
};

const OFFSETS: Readonly<Record<string, RegExp>> = {
  '07': /([+-])(\d\d)/y,
  '0700': /([+-])(\d\d)(\d\d)/y,
  '07:00': /([+-])(\d\d):(\d\d)/y,
  '070000': /([+-])(\d\d)(\d\d)(\d\d)/y,
  '07:00:00': /([+-])(\d\d):(\d\d):(\d\d)/y,
};

/** The elements of a layout, the longer ones first. `Mon` and `Jan` are none when a small letter follows. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|002|_2006|_2|0[1-6]|15|PM|pm|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|[.,]0+(?!\d)|[.,]9+(?!\d)|[1-5]/g;

const simple: Readonly<Record<string, Reader>> = {
  January: month(false),
  Jan: month(true),
  Monday: weekday(false),
  Mon: weekday(true),
  MST: zoneName,
  '2006': number('year', 4, 4),
  '06': shortYear,
  '01': number('month', 2, 2),
  '1': number('month', 1, 2),
  '02': number('day', 2, 2),
  '2': number('day', 1, 2),
  _2: padded('day', 2),
  '002': number('yearDay', 3, 3),
  __2: padded('yearDay', 3),
  '15': number('hour', 1, 2),
  '03': number('hour', 2, 2),
  '3': number('hour', 1, 2),
  '04': number('minute', 2, 2),
  '4': number('minute', 1, 2),
  PM: noon,
  pm: noon,
};

function readerOf(element: string, next: string): Reader {
  const known = simple[element];
  if (known !== undefined) return known;
  if (element === '05' || element === '5') return second(element.length, /^[.,](0+|9+)(?!\d)/.test(next));
  if (element[0] === '.' || element[0] === ',') return fraction(element[1] === '0' ? element.length - 1 : 0);
  return offset(OFFSETS[element.slice(1)]!, element[0] === 'Z');
}

const literal =
  (text: string): Reader =>
  (value, at) =>
    value.startsWith(text, at) ? at + text.length : -1;

/** Reads the whole text; milliseconds of Unix time, or undefined when the text is not in the layout. */
export type TimeReader = (text: string) => number | undefined;

export function goTimeReader(layout: string): TimeReader {
  const readers: Reader[] = [];
  let from = 0;
  for (const { 0: found, index } of layout.matchAll(ELEMENT)) {
    // `_2006` is a literal `_` and a year.
    const element = found === '_2006' ? '2006' : found;
    const start = index + found.length - element.length;
    if (start > from) readers.push(literal(layout.slice(from, start)));
    from = start + element.length;
    readers.push(readerOf(element, layout.slice(from)));
  }
  if (from < layout.length) readers.push(literal(layout.slice(from)));
  return (text) => {
    const found: Found = {
      year: 0,
      month: 1,
      day: 1,
      yearDay: 0,
      hour: 0,
      minute: 0,
      second: 0,
      milliseconds: 0,
      isAfternoon: undefined,
      offsetMinutes: 0,
    };
    let at = 0;
    for (const reader of readers) {
      at = reader(text, at, found);
      if (at < 0) return undefined;
    }
    return at === text.length ? timeOf(found) : undefined;
  };
}

function timeOf(found: Found): number | undefined {
  const { year, yearDay, minute, second: seconds, milliseconds, isAfternoon, offsetMinutes } = found;
  let { hour } = found;
  if (isAfternoon !== undefined) {
    if (hour > 12) return undefined;
    hour = (hour % 12) + (isAfternoon ? 12 : 0);
  }
  if (hour > 23 || minute > 59 || seconds > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, yearDay > 0 ? 0 : found.month - 1, yearDay > 0 ? yearDay : found.day);
  const isDate =
    yearDay > 0 ? date.getUTCFullYear() === year : date.getUTCMonth() === found.month - 1 && found.day > 0;
  if (!isDate) return undefined;
  return date.getTime() + ((hour * 60 + minute - offsetMinutes) * 60 + seconds) * 1000 + milliseconds;
}
