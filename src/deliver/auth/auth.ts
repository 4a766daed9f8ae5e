/** The contract of an authentication kind: what a request must carry so that the destination knows us. */
import type { Header } from '../../destination/destination.ts';
import type { Clock } from '../../util/clock.ts';
import type { DeliverValues } from '../options.ts';
import type { Redactor } from '../redact.ts';

export interface AuthRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** The Host header that is sent. */
  readonly host: string;
  readonly body: Uint8Array;
}

export interface Auth {
  /** Rejects when credentials cannot be had now; the request is then tried again later like after a network error. */
  headers(request: AuthRequest): Promise<readonly Header[]>;
}

export interface AuthPorts {
  readonly clock: Clock;
  /** Told every secret that goes out, so that it can be taken out of what comes back. */
  readonly redactor: Redactor;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface AuthProblem {
  readonly message: string;
  readonly hint: string;
}

export interface AuthKind {
  readonly name: string;
  configured(values: DeliverValues): boolean;
  check(values: DeliverValues): readonly AuthProblem[];
  open(values: DeliverValues, ports: AuthPorts): Auth;
}

/** The problem of a value that is given both directly and as a file; none when it is not. */
export function notBoth(
  value: unknown,
  file: string,
  valueFlag: string,
  fileFlag: string,
): readonly AuthProblem[] {
  if (!value || file === '') return [];
  return [{ message: `both -${valueFlag} and -${fileFlag} are set`, hint: 'keep one of them' }];
}
