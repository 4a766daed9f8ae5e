/** What a component needs of the log. The implementation is `telemetry/log.ts`. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A logger whose lines are limited: at most one of the same `key` in `everyMs`; the next one says how many were left out. */
  limited(key: string, everyMs: number): Pick<Logger, 'info' | 'warn' | 'error'>;
  child(fields: object): Logger;
}
