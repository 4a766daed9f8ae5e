/** Where in the program a message was logged: the `location` label of `vm_log_messages_total`. */

/** Frames: this function, the log's own, and a few above for callbacks. */
const FRAMES = 8;

/**
 * `deliver/sender.ts:123` of the nearest caller outside of the log, `unknown` if there is none. About 5 µs, so it is
 * for messages, not for samples.
 */
export function callerLocation(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = before;
  for (const line of stack.split('\n').slice(1)) {
    const match = /([^/\\\s(]+[/\\][^/\\\s]+\.[cm]?[jt]s):(\d+):\d+\)?$/.exec(line);
    if (match === null || /^telemetry[/\\](log|location)\.[cm]?[jt]s$/.test(match[1]!)) continue;
    return `${match[1]!.replace('\\', '/')}:${match[2]}`;
  }
  return 'unknown';
}
