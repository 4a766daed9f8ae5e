/**
 * The head of a write request, read from its bytes: only of the kind that every sender of metrics writes, which is a part of
 * what HTTP allows (RFC 9112) that nobody reads in two ways. Everything else is left to Node's parser, errors too.
 */

export interface DirectHead {
  readonly url: string;
  /** Names in lower case, each once; values without white space around them. As Node has them. */
  readonly headers: Record<string, string>;
}

export interface DirectHeadRead {
  /** Until the next one is read from the same connection, whose request begins when this one is answered. */
  readonly head: DirectHead;
  readonly contentLength: number;
}

/** Larger numbers are no length of a body that is taken directly. */
const LENGTH = /^\d{1,9}$/;
const REQUEST_LINE = /^(?:POST|PUT) (\/[!-~]*) HTTP\/1\.1$/;
/** Each byte is looked at once: white space around the value is cut off afterwards. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)$/;
/** As many as Node is told to take. */
export const FIELDS_MAX = 100;
/** They change how the body is framed or what is answered first. */
const LEFT_TO_NODE = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'proxy-connection',
  'te',
  'trailer',
  'set-cookie',
  '__proto__',
]);

/** Without spaces and tabs around it; `trim` takes more. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * `text` is the head as Latin-1, up to the end of its last line. Undefined if it is not of this kind.
 */
export function readHead(text: string): DirectHeadRead | undefined {
  const lines = text.split('\r\n');
  const url = REQUEST_LINE.exec(lines[0]!)?.[1];
  if (url === undefined || lines.length > FIELDS_MAX) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (let at = 1; at < lines.length; at++) {
    const field = FIELD.exec(lines[at]!);
    if (field === null) return undefined;
    const name = field[1]!.toLowerCase();
    if (headers[name] !== undefined || LEFT_TO_NODE.has(name)) return undefined;
    headers[name] = trimmed(field[2]!);
  }
  const { host, connection, 'content-length': length = '' } = headers;
  const isKept = connection === undefined || connection.toLowerCase() === 'keep-alive';
  if (host === undefined || !isKept || !LENGTH.test(length)) return undefined;
  return { head: { url, headers }, contentLength: Number(length) };
}

/**
 * The heads of one connection: senders write the same one over and over, but for the length of the body, so it is read once.
 */
export class HeadReader {
  #before = '';
  #after = '';
  #last: DirectHead | undefined;

  /** As `readHead`. */
  read(text: string): DirectHeadRead | undefined {
    const before = this.#before;
    const after = this.#after;
    if (this.#last !== undefined && text.startsWith(before) && text.endsWith(after)) {
      const digits = text.slice(before.length, text.length - after.length);
      if (LENGTH.test(digits)) {
        this.#last.headers['content-length'] = digits;
        return { head: this.#last, contentLength: Number(digits) };
      }
    }
    const read = readHead(text);
    if (read !== undefined) this.#remember(text, read.head);
    return read;
  }

  #remember(text: string, head: DirectHead): void {
    const found = /\r\ncontent-length:[ \t]*/i.exec(text)!;
    const from = found.index + found[0].length;
    this.#before = text.slice(0, from);
    this.#after = text.slice(from + head.headers['content-length']!.length);
    this.#last = head;
  }
}
