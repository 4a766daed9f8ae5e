import type { Logger } from '../../src/util/logger.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields?: object | undefined;
}

/** A logger that keeps its lines for the test to look at. */
export function recordingLogger(lines: LogLine[] = []): Logger & { readonly lines: LogLine[] } {
  const write = (level: LogLine['level']) => (message: string, fields?: object) => {
    lines.push({ level, message, fields });
  };
  const logger = {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    limited: () => logger,
    child: () => logger,
  };
  return logger;
}
