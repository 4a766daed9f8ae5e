/** The options of delivery; all but `list` ones have one value per destination, in the order of `-remoteWrite.url`. */
import { availableParallelism } from 'node:os';
import { type DestinationValues, options } from '../config/option.ts';
import { REMOTE_WRITE_2 } from '../model/body.ts';

const text = { kind: 'string', arity: 'destination', default: '' } as const;
const secret = { kind: 'secret', arity: 'destination', default: undefined } as const;
const flag = { kind: 'bool', arity: 'destination', default: false } as const;
const path = { ...text, placeholder: 'path' } as const;

const REREAD = 'The file is read again when it changes, at most once a second.';

export const deliverOptions = options({
  'remoteWrite.queues': {
    kind: 'int',
    arity: 'destination',
    default: 2 * availableParallelism(),
    defaultText: '2 × CPUs',
    summary:
      'How many requests to this destination may be under way at the same time, 1 to 16 × CPUs. The samples of one series are still sent in order.',
  },
  'remoteWrite.inmemoryQueues': {
    kind: 'int',
    arity: 'destination',
    default: 0,
    min: 0,
    summary:
      'How many more requests may be under way with samples that have just come, while a backlog is sent beside them: after an outage, new data is there first. The samples of a series are then not in order until the backlog is gone.',
  },
  'remoteWrite.sendTimeout': {
    kind: 'duration',
    arity: 'destination',
    default: 60_000,
    min: 1,
    summary: 'How long one attempt may take, from the connection to the end of the answer.',
  },
  'remoteWrite.retryMinInterval': {
    kind: 'duration',
    arity: 'destination',
    default: 1000,
    min: 1,
    summary: 'How long the first wait after a failed attempt is; each further wait is twice as long.',
  },
  'remoteWrite.retryMaxInterval': {
    kind: 'duration',
    arity: 'destination',
    default: 60_000,
    min: 1,
    aliases: ['remoteWrite.retryMaxTime'],
    summary: 'The longest wait between two attempts, also for a Retry-After that asks for more.',
  },
  'remoteWrite.rateLimit': {
    kind: 'bytes',
    arity: 'destination',
    default: 0,
    min: 0,
    summary: 'How many compressed bytes a second may be sent to this destination. 0 means no limit.',
  },
  'remoteWrite.responsePolicy': {
    ...text,
    default: 'default',
    placeholder: 'policy',
    ours: true,
    summary:
      'What refusals of this destination mean: default (what vmagent does), victoriametrics, prometheus, mimir or thanos, and rules before it, for example 404=drop;400:*out of order*=partial;mimir. See docs/delivery.md.',
  },
  'remoteWrite.headers': {
    ...secret,
    placeholder: 'name:value^^name:value',
    summary:
      'Headers for every request to this destination, separated by ^^. Headers that describe the body and credentials from other options win against them.',
  },
  'remoteWrite.proxyURL': {
    ...secret,
    placeholder: 'URL',
    notReference: true,
    summary:
      'An http://, https:// or socks5:// proxy for this destination. Without it the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY decide.',
  },
  'remoteWrite.forceVMProto': {
    ...flag,
    summary: 'Always use the VictoriaMetrics protocol (zstd), also after the destination turned it down.',
  },
  'remoteWrite.forcePromProto': {
    ...flag,
    summary:
      'Always use the Prometheus protocol (snappy), without trying the VictoriaMetrics protocol first.',
  },
  'remoteWrite.protobufMessage': {
    ...text,
    default: 'prometheus.WriteRequest',
    choices: ['prometheus.WriteRequest', REMOTE_WRITE_2],
    placeholder: 'message',
    ours: true,
    summary:
      'Which message this destination gets: that of remote write 1.0 or that of 2.0 (always snappy). One that does not take 2.0 gets 1.0 until the next start.',
  },
  'remoteWrite.tlsInsecureSkipVerify': {
    ...flag,
    summary:
      'Do not check the certificate of this destination. Anyone on the way can then read and change the data.',
  },
  'remoteWrite.tlsCAFile': {
    ...path,
    summary: `PEM file with the certificate authorities for this destination instead of the system's. ${REREAD}`,
  },
  'remoteWrite.tlsCertFile': { ...path, summary: `PEM file with our client certificate. ${REREAD}` },
  'remoteWrite.tlsKeyFile': {
    ...path,
    summary: `PEM file with the key of our client certificate. ${REREAD}`,
  },
  'remoteWrite.tlsServerName': {
    ...text,
    placeholder: 'name',
    summary: 'The name that the certificate must carry, also sent as Host; by default the host of the URL.',
  },
  'remoteWrite.tlsHandshakeTimeout': {
    kind: 'duration',
    arity: 'destination',
    default: 20_000,
    min: 1,
    summary: 'How long a TLS handshake may take.',
  },
  'remoteWrite.basicAuth.username': { ...text, summary: 'User name for HTTP basic authentication.' },
  'remoteWrite.basicAuth.usernameFile': {
    ...path,
    summary: `File with the user name for HTTP basic authentication. ${REREAD}`,
  },
  'remoteWrite.basicAuth.password': { ...secret, summary: 'Password for HTTP basic authentication.' },
  'remoteWrite.basicAuth.passwordFile': {
    ...path,
    summary: `File with the password for HTTP basic authentication. ${REREAD}`,
  },
  'remoteWrite.bearerToken': { ...secret, summary: 'Token for `Authorization: Bearer`.' },
  'remoteWrite.bearerTokenFile': {
    ...path,
    summary: `File with the token for \`Authorization: Bearer\`. ${REREAD}`,
  },
  'remoteWrite.oauth2.clientID': { ...text, summary: 'Client ID for OAuth2 client credentials.' },
  'remoteWrite.oauth2.clientSecret': { ...secret, summary: 'Client secret for OAuth2 client credentials.' },
  'remoteWrite.oauth2.clientSecretFile': {
    ...path,
    summary: `File with the client secret for OAuth2 client credentials. ${REREAD}`,
  },
  'remoteWrite.oauth2.endpointParams': {
    ...secret,
    placeholder: 'JSON',
    summary: 'More parameters for the token request, as a JSON object of strings.',
  },
  'remoteWrite.oauth2.scopes': {
    ...text,
    placeholder: 'scope;scope',
    summary: 'Scopes of the token request, separated by semicolons.',
  },
  'remoteWrite.oauth2.tokenUrl': { ...text, placeholder: 'URL', summary: 'Where OAuth2 tokens come from.' },
  'remoteWrite.aws.useSigv4': { ...flag, summary: 'Sign requests with AWS Signature Version 4.' },
  'remoteWrite.aws.ec2Endpoint': {
    ...text,
    placeholder: 'URL',
    summary: 'EC2 instance metadata endpoint, instead of http://169.254.169.254/.',
  },
  'remoteWrite.aws.stsEndpoint': {
    ...text,
    placeholder: 'URL',
    summary: "STS endpoint, instead of the region's own (https://sts.REGION.amazonaws.com/).",
  },
  'remoteWrite.aws.region': {
    ...text,
    placeholder: 'name',
    summary: 'AWS region; by default AWS_REGION, then the region of the EC2 instance.',
  },
  'remoteWrite.aws.roleARN': {
    ...text,
    placeholder: 'ARN',
    summary: 'AWS role to assume; by default AWS_ROLE_ARN.',
  },
  'remoteWrite.aws.accessKey': {
    ...secret,
    summary:
      'AWS access key; by default AWS_ACCESS_KEY_ID, then web identity, container and EC2 credentials.',
  },
  'remoteWrite.aws.secretKey': { ...secret, summary: 'AWS secret key; by default AWS_SECRET_ACCESS_KEY.' },
  'remoteWrite.aws.service': {
    ...text,
    default: 'aps',
    placeholder: 'name',
    summary: 'AWS service name for the signature; aps is Amazon Managed Service for Prometheus.',
  },
});

/** The values of one destination. */
export type DeliverValues = DestinationValues<typeof deliverOptions>;

/** Number of parallel requests, within what the machine can use. */
export function parallelOf(values: DeliverValues, cpus = availableParallelism()): number {
  return Math.min(Math.max(1, values['remoteWrite.queues']), 16 * cpus);
}

/** Number of requests beside those, with fresh blocks only. */
export function freshParallelOf(values: DeliverValues, cpus = availableParallelism()): number {
  return Math.min(values['remoteWrite.inmemoryQueues'], 16 * cpus);
}
