/** Takes the secrets out of URLs that are shown. */

/** `://user:password@` becomes `://secret@` wherever it stands in the text. */
export function redactUserInfo(text: string): string {
  // The last @ before the path ends the credentials: passwords with a raw @ exist.
  return text.replaceAll(/:\/\/[^/?#\s]*@/g, '://secret@');
}

/** Credentials and query parameters (keys and tokens live there) of every URL in the text. */
export function redactUrls(text: string): string {
  return redactUserInfo(text).replaceAll(/(:\/\/[^?#\s]*)[?#]\S*/g, '$1?secret');
}
