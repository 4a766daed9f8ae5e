/**
 * Lists in one text, as vmagent's array flags have them: commas separate, but not inside quotes and brackets; an item
 * that is quoted as a whole is unquoted.
 */

const CLOSING: Readonly<Record<string, string>> = { '"': '"', "'": "'", '[': ']', '{': '}', '(': ')' };

/** An empty text is one empty item, a comma at the end is followed by one. */
export function splitCommaList(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char === ',') {
      items.push(unquote(text.slice(start, at)));
      start = at + 1;
    } else if (char in CLOSING) {
      at = closingIndex(text, at);
      continue;
    }
    at++;
  }
  items.push(unquote(text.slice(start)));
  return items;
}

/** The index after what closes the quote or bracket at `open`; the end of the text when nothing does. */
function closingIndex(text: string, open: number): number {
  const closing = CLOSING[text[open]!]!;
  const isQuote = closing === text[open];
  let at = open + 1;
  while (at < text.length) {
    const char = text[at]!;
    if (char === closing) return at + 1;
    if (isQuote) at += char === '\\' ? 2 : 1;
    else at = char in CLOSING ? closingIndex(text, at) : at + 1;
  }
  return text.length;
}

function unquote(item: string): string {
  const quote = item[0];
  if ((quote !== '"' && quote !== "'") || item.length < 2 || closingIndex(item, 0) !== item.length)
    return item;
  if (!item.endsWith(quote)) return item;
  if (quote === '"') {
    try {
      return JSON.parse(item) as string; // escapes such as \n and \u00e9
    } catch {
      // Go's other escapes, or a raw line break: only the quote and the backslash are taken back.
    }
  }
  return item.slice(1, -1).replaceAll(`\\${quote}`, quote).replaceAll('\\\\', '\\');
}

/** The text that `splitCommaList` turns into these items again. */
export function joinCommaList(items: readonly string[]): string {
  return items.map((item) => (/[,"'[\]{}()\\]/.test(item) ? JSON.stringify(item) : item)).join(',');
}
