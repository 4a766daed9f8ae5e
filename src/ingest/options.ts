import { availableParallelism } from 'node:os';
import { options, type Values } from '../config/option.ts';

const MINUTE_MS = 60_000;

/** Values in order belong to the `-httpListenAddr` in the same place; a single one serves all of them. */
const PER_LISTENER = 'A list with one item for each -httpListenAddr; a single item serves all of them.';

export const ingestOptions = options({
  httpListenAddr: {
    kind: 'string',
    arity: 'list',
    default: [':8429'],
    placeholder: 'host:port',
    summary:
      'Addresses for HTTP: `:8429` (all interfaces), `127.0.0.1:8429`, `[::1]:8429`. Port 0 takes any free port.',
  },
  maxInsertRequestSize: {
    kind: 'bytes',
    default: 32 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary:
      'The largest body of a write request, before and after decompression. Larger ones get 413, but for imports, which are taken in pieces.',
  },
  maxConcurrentInserts: {
    kind: 'int',
    default: 2 * availableParallelism(),
    defaultText: '2 × CPUs',
    min: 1,
    summary:
      'How many write requests are processed at the same time; the others wait for -insert.maxQueueDuration.',
  },
  'insert.maxQueueDuration': {
    kind: 'duration',
    default: MINUTE_MS,
    summary:
      'How long a write request waits while -maxConcurrentInserts others are processed; then it gets 503.',
  },
  'insert.bodyIdleTimeout': {
    kind: 'duration',
    default: 10_000,
    min: 1,
    ours: true,
    summary:
      'A write request whose body comes in slower than 1 KiB/s over this time is cut off with 503. It also bounds how long a client may hold one of -maxConcurrentInserts without sending.',
  },
  enableMetadata: {
    kind: 'bool',
    default: true,
    summary: 'Take metadata (type, help, unit) and pass it on to destinations.',
  },
  enableMultitenantHandlers: {
    kind: 'bool',
    default: false,
    summary:
      'Serve the write paths for tenants as well: /insert/<accountID>[:<projectID>]/…, which gives series the labels vm_account_id and vm_project_id, and /insert/multitenant/…, where they bring them along.',
  },
  enableMultitenancyViaHeaders: {
    kind: 'bool',
    default: true,
    summary:
      'With -enableMultitenantHandlers: paths /insert/… without a tenant take it from the headers AccountID and ProjectID, and calls of gRPC from metadata of these names.',
  },
  'http.pathPrefix': {
    kind: 'string',
    default: '',
    placeholder: 'path',
    summary: 'All paths begin with this prefix, for example `/relay`; requests without it get 404.',
  },
  'http.shutdownDelay': {
    kind: 'duration',
    default: 0,
    summary:
      'After a stop signal, serve as usual for this time with 503 on /health, so that load balancers notice.',
  },
  'http.maxGracefulShutdownDuration': {
    kind: 'duration',
    default: 7_000,
    summary: 'How long requests that are being processed may take to finish at a stop.',
  },
  'http.connTimeout': {
    kind: 'duration',
    default: 2 * MINUTE_MS,
    summary:
      'Connections older than this (with up to 10 % more, by chance) are closed after the next response, so that clients spread over the instances behind a load balancer. 0 keeps them.',
  },
  'http.idleConnTimeout': {
    kind: 'duration',
    default: MINUTE_MS,
    summary: 'Connections without a request for this time are closed.',
  },
  'http.headerTimeout': {
    kind: 'duration',
    default: 10_000,
    min: 1,
    ours: true,
    summary: 'A connection whose request head is not complete after this time gets 408 and is closed.',
  },
  'http.maxConnections': {
    kind: 'int',
    default: 10_000,
    min: 1,
    ours: true,
    summary: 'Open connections per address; more are closed at once.',
  },
  'http.disableKeepAlive': {
    kind: 'bool',
    default: false,
    summary: 'Close every connection after its first response.',
  },
  'http.disableCORS': {
    kind: 'bool',
    default: true,
    summary:
      'False sends `Access-Control-Allow-Origin: *`, so that pages of any origin can read the responses.',
  },
  'http.header.hsts': {
    kind: 'string',
    default: '',
    summary: 'Value of the Strict-Transport-Security header of every response.',
  },
  'http.header.frameOptions': {
    kind: 'string',
    default: '',
    summary: 'Value of the X-Frame-Options header of every response.',
  },
  'http.header.csp': {
    kind: 'string',
    default: '',
    summary: 'Value of the Content-Security-Policy header of every response; the status page has its own.',
  },
  'httpAuth.username': {
    kind: 'string',
    default: '',
    summary: 'Ask for this name with basic auth on every path but the health checks. Empty asks for nothing.',
  },
  'httpAuth.password': {
    kind: 'secret',
    default: undefined,
    summary: 'The password for -httpAuth.username. It can be `file:///path`.',
  },
  metricsAuthKey: {
    kind: 'secret',
    default: undefined,
    summary:
      'Ask for this key on /metrics instead of basic auth: `?authKey=…` or `Authorization: Bearer …`. It can be `file:///path`.',
  },
  flagsAuthKey: {
    kind: 'secret',
    default: undefined,
    summary: 'The same for /flags.',
  },
  reloadAuthKey: {
    kind: 'secret',
    default: undefined,
    summary: 'The same for /-/reload.',
  },
  tls: {
    kind: 'bool',
    arity: 'list',
    default: [],
    summary: `Speak HTTPS. ${PER_LISTENER}`,
  },
  tlsCertFile: {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'path',
    summary: `PEM file with the certificate chain; read again when it changes. ${PER_LISTENER}`,
  },
  tlsKeyFile: {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'path',
    summary: `PEM file with the private key; read again when it changes. ${PER_LISTENER}`,
  },
  tlsMinVersion: {
    kind: 'string',
    arity: 'list',
    default: [],
    choices: ['TLS12', 'TLS13'],
    defaultText: 'TLS12',
    summary: `The oldest TLS version that is spoken. ${PER_LISTENER}`,
  },
  selfScrapeInterval: {
    kind: 'duration',
    default: 0,
    summary: 'Put the own metrics into the stream at this interval. 0 does not.',
  },
  selfScrapeJob: {
    kind: 'string',
    default: 'sluice',
    summary: 'The `job` label of the own metrics.',
  },
  selfScrapeInstance: {
    kind: 'string',
    default: 'self',
    summary: 'The `instance` label of the own metrics.',
  },
});

export type IngestValues = Values<typeof ingestOptions>;
