/**
 * Loads the sources of src/ with their types stripped, and keeps what was stripped in .cache/stripped beside them. `bin/sluice`
 * has Node require it in every thread before anything else.
 *
 * Node strips types by itself, but its stripper takes 16 MB of each thread for good; and its compile cache, which spares
 * that, keeps 11 MB of what it read. Lines and columns stay what they are in the source (types become
 * blanks), but for columns behind characters beyond Latin-1.
 *
 * A kept file is a source's text without types and a last line with the hash of what it was made of, so it is never out of
 * date, and one that was not written to its end is not taken. Where nothing can be written, sources are stripped at each start.
 */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { threadId } from 'node:worker_threads';

const root = join(import.meta.dirname, '..');
const sources = pathToFileURL(join(root, 'src/')).href;
const kept = join(root, '.cache/stripped');

/** Changes with what is kept. */
const FORM = 2;

/**
 * V8 takes two bytes for every character of a text that has one beyond Latin-1: arrows in comments cost half a megabyte. Wide
 * blanks are what the stripper leaves of such characters in types.
 * @param {string} text
 */
function asLatin1(text) {
  return text.replace(/[^\0-\xff]/g, (char) =>
    /\s/.test(char) ? ' ' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The text of a source without its types.
 * @param {string} file its path
 */
function strippedText(file) {
  const source = readFileSync(file, 'utf8');
  const stamp = `\n//# ${FORM} ${hash('sha256', source)}\n`;
  const keptFile = join(kept, `${relative(root, file)}.js`);
  try {
    const text = readFileSync(keptFile, 'utf8');
    if (text.endsWith(stamp)) return text;
  } catch {
    // It was not stripped before.
  }
  const text = asLatin1(stripTypeScriptTypes(source)) + stamp;
  keep(keptFile, text);
  return text;
}

/**
 * Several processes and threads may do so at once, so the file is there as a whole or not at all.
 * @param {string} file
 * @param {string} text
 */
function keep(file, text) {
  const draft = `${file}.${process.pid}-${threadId}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(draft, text);
      renameSync(draft, file);
    } finally {
      rmSync(draft, { force: true });
    }
  } catch {
    // A folder that is not ours, or a full disk: it is stripped again at the next start.
  }
}

registerHooks({
  load(url, context, next) {
    if (!url.startsWith(sources) || !url.endsWith('.ts')) return next(url, context);
    try {
      return { format: 'module', source: strippedText(fileURLToPath(url)), shortCircuit: true };
    } catch {
      return next(url, context); // Node says what is wrong with it, and where.
    }
  },
});
