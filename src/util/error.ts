/**
 * An error of the environment or the configuration: something that the operator can mend.
 * The message reads `cannot <verb> <object> at <where>: <cause>; <how to mend>`.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
