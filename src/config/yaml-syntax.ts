/** YAML's syntax errors in words of ours: the library's quote the file, and so its secrets. */
import type { ErrorCode } from 'yaml';

interface SyntaxProblem {
  readonly message: string;
  readonly hint: string;
}

const known: Partial<Record<ErrorCode, SyntaxProblem>> = {
  BAD_ALIAS: {
    message: 'this alias has no anchor',
    hint: 'define it before with &, or quote a text that begins with *',
  },
  BAD_INDENT: { message: 'the indentation is wrong', hint: 'put the keys of one mapping into one column' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'there are two colons in one line',
    hint: 'quote a value with ": " in it',
  },
  MISSING_CHAR: {
    message: 'something is missing',
    hint: 'look for a quote, bracket or comma that is not there',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a key goes over several lines',
    hint: 'look for a colon that is missing',
  },
  MULTIPLE_DOCS: {
    message: 'there is more than one document',
    hint: 'take the line --- and what follows away',
  },
  TAB_AS_INDENT: { message: 'there is a tab in the indentation', hint: 'use spaces' },
  TAG_RESOLVE_FAILED: { message: 'this tag is unknown', hint: 'quote a text that begins with !' },
  UNEXPECTED_TOKEN: {
    message: 'something unexpected stands here',
    hint: 'quote a text with special characters',
  },
  BAD_SCALAR_START: { message: 'a text cannot begin like this', hint: 'quote it' },
  BAD_DQ_ESCAPE: {
    message: 'this escape is unknown',
    hint: 'write \\\\ for a backslash, or use single quotes',
  },
};

/** What a syntax error of the library means to the writer of the file. */
export function syntaxProblem(code: ErrorCode): SyntaxProblem {
  const name = code.toLowerCase().replaceAll('_', ' ');
  return (
    known[code] ?? {
      message: `this is no valid YAML (${name})`,
      hint: 'look at this line and the one before',
    }
  );
}
