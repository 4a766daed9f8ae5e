/** Everything about a destination's options that can be found wrong before the first request. */
import { destinationOf } from '../destination/index.ts';
import { REMOTE_WRITE_2 } from '../model/body.ts';
import { authKinds } from './auth/index.ts';
import { parseHeaders } from './headers.ts';
import type { DeliverValues } from './options.ts';
import { proxySchemes } from './proxy.ts';
import { parsePolicy } from './response-policy.ts';

export interface Problem {
  readonly where: string;
  readonly message: string;
  readonly hint: string;
}

/** All problems of one destination's values; `where` names the destination for people, without its secrets. */
export function checkDestination(values: DeliverValues, where: string): Problem[] {
  const problems: Problem[] = [];
  const add = (message: string, hint: string) => problems.push({ where, message, hint });
  const configured = Object.values(authKinds).filter((kind) => kind.configured(values));
  if (configured.length > 1) {
    add(
      `more than one kind of authentication is set: ${configured.map((kind) => kind.name).join(', ')}`,
      'keep one of them',
    );
  }
  for (const kind of Object.values(authKinds)) {
    for (const { message, hint } of kind.check(values)) add(message, hint);
  }
  if (values['remoteWrite.forceVMProto'] && values['remoteWrite.forcePromProto']) {
    add('both -remoteWrite.forceVMProto and -remoteWrite.forcePromProto are set', 'keep one of them');
  }
  if (values['remoteWrite.forceVMProto'] && values['remoteWrite.protobufMessage'] === REMOTE_WRITE_2) {
    add(
      `-remoteWrite.forceVMProto is set, and -remoteWrite.protobufMessage is ${REMOTE_WRITE_2}`,
      'keep one of them: remote write 2.0 is sent as snappy',
    );
  }
  const policy = parsePolicy(values['remoteWrite.responsePolicy']);
  if ('error' in policy) {
    add(
      `-remoteWrite.responsePolicy: ${policy.error}`,
      'write rules STATUS=ACTION;… and a preset at the end',
    );
  }
  checkProxy(values['remoteWrite.proxyURL']?.reveal() ?? '', add);
  for (const message of parseHeaders(values['remoteWrite.headers']?.reveal() ?? '').problems) {
    add(`-remoteWrite.headers: ${message}`, 'write Name: value, and ^^ between headers');
  }
  if ((values['remoteWrite.tlsCertFile'] === '') !== (values['remoteWrite.tlsKeyFile'] === '')) {
    add(
      '-remoteWrite.tlsCertFile and -remoteWrite.tlsKeyFile only work together',
      'set both, or neither of them',
    );
  }
  return problems;
}

function checkProxy(proxyUrl: string, add: (message: string, hint: string) => void): void {
  if (proxyUrl === '') return;
  const hint = `write one of ${proxySchemes.map((scheme) => `${scheme}//host:port`).join(', ')}`;
  if (!proxyUrl.includes('://')) add('-remoteWrite.proxyURL has no ://', hint);
  else if (!URL.canParse(proxyUrl)) add('-remoteWrite.proxyURL cannot be parsed', hint);
  else if (!proxySchemes.includes(new URL(proxyUrl).protocol)) {
    add('-remoteWrite.proxyURL has a scheme that is not supported', hint);
  }
}

/** What is wrong with a destination's URL. */
export function checkUrl(url: string, where: string): Problem[] {
  const kind = destinationOf(url);
  if (kind === undefined) {
    const message = 'the URL is of no kind that can be written to';
    return [{ where, message, hint: 'use http://, https:// or file:PATH' }];
  }
  const problem = kind.check(url);
  return problem === undefined ? [] : [{ where, ...problem }];
}
