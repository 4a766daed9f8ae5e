/**
 * AWS Signature Version 4: host and x-amz-date are signed, and the body by its SHA-256.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto';
import type { Header } from '../../destination/destination.ts';
import type { AuthKind } from './auth.ts';
import { AwsCredentials } from './aws-credentials.ts';

const USE = 'remoteWrite.aws.useSigv4';
const ACCESS_KEY = 'remoteWrite.aws.accessKey';
const SECRET_KEY = 'remoteWrite.aws.secretKey';

export const sigv4: AuthKind = {
  name: 'aws',
  configured: (values) => values[USE],
  check(values) {
    if (!values[USE] || (values[ACCESS_KEY] === undefined) === (values[SECRET_KEY] === undefined)) return [];
    const message = `-${ACCESS_KEY} and -${SECRET_KEY} only work together`;
    return [{ message, hint: 'set both, or neither of them' }];
  },
  open(values, ports) {
    const credentials = new AwsCredentials(
      {
        ec2Endpoint: values['remoteWrite.aws.ec2Endpoint'],
        stsEndpoint: values['remoteWrite.aws.stsEndpoint'],
        region: values['remoteWrite.aws.region'],
        roleARN: values['remoteWrite.aws.roleARN'],
        accessKey: values[ACCESS_KEY]?.reveal() ?? '',
        secretKey: values[SECRET_KEY]?.reveal() ?? '',
      },
      ports,
    );
    return {
      async headers(request) {
        const { keys, region } = await credentials.get();
        ports.redactor.set('aws secret key', keys.secretKey);
        ports.redactor.set('aws session token', keys.sessionToken ?? '');
        const scope = { keys, region, service: values['remoteWrite.aws.service'] };
        return signRequest(request, scope, ports.clock.nowMs());
      },
    };
  },
};

export interface AwsKeys {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
}

export interface SigningScope {
  readonly keys: AwsKeys;
  readonly region: string;
  readonly service: string;
}

export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  readonly host: string;
  readonly body: Uint8Array;
}

/** `Authorization`, `X-Amz-Date` and, with temporary keys, `X-Amz-Security-Token`. `nowMs` is wall time. */
export function signRequest(request: SignableRequest, scope: SigningScope, nowMs: number): Header[] {
  const { keys, region, service } = scope;
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const signedHeaders = 'host;x-amz-date';
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname, service),
    canonicalQuery(request.url.searchParams),
    `host:${request.host}\nx-amz-date:${time}\n`,
    signedHeaders,
    sha256(request.body),
  ].join('\n');
  const credentialScope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, credentialScope, sha256(canonical)].join('\n');
  let key: Uint8Array = Buffer.from(`AWS4${keys.secretKey}`);
  for (const part of [day, region, service, 'aws4_request']) key = hmac(key, part);
  const signature = hmac(key, toSign).toString('hex');
  const headers: Header[] = [
    [
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${credentialScope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    ],
    ['X-Amz-Date', time],
  ];
  if (keys.sessionToken) headers.push(['X-Amz-Security-Token', keys.sessionToken]);
  return headers;
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const hmac = (key: Uint8Array, data: string) => createHmac('sha256', key).update(data).digest();

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Every service but S3 signs the path as it is on the wire, encoded once more. */
function canonicalPath(pathname: string, service: string): string {
  const path = pathname === '' ? '/' : pathname;
  return service === 's3' ? path : path.split('/').map(encode).join('/');
}

function canonicalQuery(params: URLSearchParams): string {
  return [...params]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
