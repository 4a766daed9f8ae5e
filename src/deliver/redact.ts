/** Foreign text made safe to log: no secrets of ours that the peer sent back, no control characters, bounded. */

export const TEXT_BYTES_MAX = 4096;

/** Shorter strings are no secrets worth the name, and replacing them would tear ordinary text apart. */
const SECRET_LENGTH_MIN = 4;

export class Redactor {
  readonly #bySource = new Map<string, string>();
  #secrets: readonly string[] = [];

  /** Remembers the current secret of a source (a token file, a token server), in place of its one before. */
  set(source: string, secret: string): void {
    if (secret.length < SECRET_LENGTH_MIN || this.#bySource.get(source) === secret) return;
    this.#bySource.set(source, secret);
    // Longest first: a secret that contains another one must go as a whole.
    this.#secrets = [...this.#bySource.values()].sort((a, b) => b.length - a.length);
  }

  clean(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, 'secret');
    return escapeText(clean);
  }
}

/** Control characters as \xNN escapes, so that nobody can forge log lines or drive a terminal; at most 4 KiB. */
export function escapeText(text: string): string {
  const escaped = text
    .slice(0, TEXT_BYTES_MAX)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
      character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  let bytes = Buffer.from(escaped);
  if (bytes.byteLength <= TEXT_BYTES_MAX) return escaped;
  bytes = bytes.subarray(0, TEXT_BYTES_MAX);
  return bytes.toString('utf8').replace(/\ufffd$/, '');
}
