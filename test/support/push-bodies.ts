/** Bodies in every protocol, good ones and bad ones, and the rows of a write request as text, for end-to-end tests. */
import { connect } from 'node:net';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { compress } from 'snappyjs';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { nativeBody } from '../protocol/native-support.ts';
import { encode } from '../protocol/otlp-support.ts';
import { decompressBody } from './remote-write.ts';
import type { ReceivedRequest } from './sink.ts';

export interface PushBody {
  /** The label `case` that the body itself brings; else it is the number. */
  readonly key?: string;
  readonly protocol: string;
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** Status of both; vmagent's where ours is another on purpose. */
  readonly status: number;
}

const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;

const PROMETHEUS = text([
  '# HELP foo some  help\\\\ x\\ny',
  '# TYPE foo counter',
  'foo{bar="baz",aa="",x="y"} 1 2',
  'foobar{} 123.456 789.4354',
  'foo   344 5#bar',
  'foo#qw{bar#2="#1 az"} 24 456 # c {b="x"}',
  'x{a="1"}5 1700000000',
  'a{b="domain\\somelogin \\\\ \\" \\n"} 1 1',
  '{"foo", "bar"="baz"} 1 1',
  '{bar="baz","foo"} 1 1',
  '{"温度{房间"} 1 1',
  '\t foo\t {  } 0.3\t 2',
  'vm\t{ a = "1" , b=\t"1" } 5 1',
  'inf1 -INF 1',
  'inf2 +infinity 1',
  'nan nan 1',
  'fo bar{a="b"} 1 2',
  'late 1 2147483648',
  'early 1 -2147483649',
  'fraction 1 1700000000.1239',
  'now 1',
  'zero 1 0',
  'big 12345678901234567890 1',
  'small 1e-400 1',
  'huge 1e400 1',
  'bad{foo} 3',
  'bad 1_000',
  'bad 0x10',
  'bad +5',
  'bad 1 2 3',
  'bad',
]);

const INFLUX = text([
  'foo bar=123.5 1',
  'foo,tag1=x,tagN=,=xxx bar=1,baz=2i 1700000000',
  ',foo=bar baz=123 1700000000123',
  ' baz=123 1700000000123456',
  'foo x="3 days, 21:01",q="-1.23",n="123" 1700000000123456789',
  'fo\\,bar\\=b\\ az,x\\=\\ b=\\\\a\\,\\=\\q\\  \\\\\\a\\ b\\=\\,=4.34 1',
  'm a=t,b=F,c=true,d=tRue,e=1.5x,f=inf,g=nan,h=-,i=18446744073709551615u -345',
  'm "a b"=1,"c,d"=2 1',
  'now a=1',
  '# comment',
  'bad',
  'bad a=1abci',
  'bad a=1 1.5',
  'bad,a b=1',
]);

const JSON_LINES = text([
  '{"metric":{"__name__":"a","x":"y"},"values":[1,2.5],"timestamps":[1000,2000]}',
  '{"metric":{"__name__":"n"},"values":[null,NaN,inf,-Inf,"Infinity","-inf",1e5],"timestamps":[1,2,3,4,5,6,7]}',
  '{"metric":{"b":"c","__name__":"late"},"values":[1],"timestamps":[-5]}',
  '{"metric":{"foo":1,"x":"A\\u0041\\n\\ud83d\\ude00\\q"},"values":[1],"timestamps":[1]}',
  '{"x":[{"y":null}],"timestamps":[1],"values":[1],"metric":{"__name__":"order"}}',
  '{"metric":{"__name__":"bad"},"values":[Infinity],"timestamps":[1]}',
  '{"metric":{"__name__":"bad"},"values":[1],"timestamps":[7.5]}',
  '{"metric":{"__name__":"bad"},"values":[1,2],"timestamps":[1]}',
  '{"metric":{},"values":[1],"timestamps":[1]}',
  'bad',
]);

const CSV = text([
  'host,user,system,time',
  'a,1,2,1700000000',
  '"b""1",3,,1700000001',
  "'c,2',,4,1700000002",
  'd,5,6,',
  'e,,,1700000000',
  'bad,x,1,1700000000',
  'bad,1',
  '"bad,1,2,1700000000',
]);
const CSV_FORMAT = `format=${encodeURIComponent('1:label:host,2:metric:user,3:metric:system,4:time:unix_s')}`;

const NEW_RELIC = `[{"EntityID":1,"Events":[
  {"eventType":"S","case":"newrelic","timestamp":1700000000,"cpu":1.5,"mem":2,"empty":"","b":true,"o":{},"a":[1],"n":null},
  {"case":"newrelic","timestamp":1700000000.5,"x":1}, {"case":"newrelic","timestamp":1700000000123,"x":NaN},
  {"case":"newrelic","timestamp":"text","x":1}, {"case":"newrelic","timestamp":-1,"x y":1}, {"case":"newrelic"}, {}
]},{}]`;

const DATADOG_1 = `{"Series":[
  {"METRIC":"sys.load!1","host":"h","device":"d","points":[[1700000000,1.5],[1700000000.5,2],[0,3],[-5,4],[5]],
   "tags":["a:b:c","nov","host:x","k:"," s : t "],"interval":10,"type":"gauge"},
  {"metric":"many.consecutive.met!!!!ric!!.!!name","points":[[1.9999,2]]}, {"metric":"é.ü x","points":[[1,2,3]],"host":null}
]}`;
const DATADOG_2 = `{"series":[
  {"metric":"m","type":3,"points":[{"timestamp":1700000000,"value":1.5},{"timestamp":0,"value":2},{"value":4},{"timestamp":5}],
   "resources":[{"type":"host","name":"h"},{"type":"r","name":""}],"tags":["host:x","a:b","z"],"source_type_name":"src"}
]}`;

/** The same as protobuf, made by hand. */
function datadogPayload(): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x0a).fork();
  writer.uint32(0x0a).fork().uint32(0x0a).string('host').uint32(0x12).string('h').ldelim();
  writer.uint32(0x12).string('proto.m').uint32(0x1a).string('a:b').uint32(0x28).int32(3);
  writer.uint32(0x22).fork().uint32(0x09).double(1.5).uint32(0x10).int64(1_700_000_000).ldelim();
  writer.uint32(0x22).fork().uint32(0x09).double(2.5).ldelim();
  return writer.uint32(0x3a).string('src').ldelim().finish();
}

/** Two sketches of one metric. */
function sketchPayload(): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x0a).fork();
  writer
    .uint32(0x0a)
    .string('sk!.x')
    .uint32(0x12)
    .string('h')
    .uint32(0x22)
    .string('host:y')
    .uint32(0x22)
    .string('z');
  for (const [keys, counts] of [
    [
      [1338, 1400, 1450],
      [3, 4, 3],
    ],
    [
      [-1400, -1338, 0, 1338],
      [2, 2, 2, 4],
    ],
  ] as const) {
    writer.uint32(0x3a).fork().uint32(0x08).int64(1_700_000_000).uint32(0x10).int64(10);
    writer.uint32(0x19).double(1).uint32(0x21).double(9).uint32(0x31).double(50).uint32(0x3a).fork();
    for (const key of keys) writer.sint32(key);
    writer.ldelim().uint32(0x42).fork();
    for (const count of counts) writer.uint32(count);
    writer.ldelim().ldelim();
  }
  return writer.ldelim().finish();
}

const NATIVE = nativeBody([
  {
    name: ['up', 'job', 'node'],
    timestamps: [1_000n, 2_000n],
    values: [15n, -25n],
    scale: -1,
    timestampKind: 2,
    valueKind: 6,
  },
  {
    name: ['', 'a', 'b\u0000\u0001é'],
    timestamps: [1n, 2n, 4n],
    values: [1n, 1n, 1n],
    scale: 2,
    timestampKind: 1,
    valueKind: 3,
  },
  {
    name: ['n', 'x', ''],
    timestamps: [1n, 2n, 4n],
    values: [1n, 5n, 2n ** 63n - 1n],
    scale: 0,
    timestampKind: 5,
    valueKind: 4,
  },
]);

const NS = '1700000000123999999';
const pair = (key: string, value: object) => ({ key, value });
const tag = (key: string, value: string) => pair(key, { stringValue: value });

const exemplar = (asDouble: number) => ({
  timeUnixNano: NS,
  asDouble,
  traceId: Buffer.alloc(16, 7),
  spanId: Buffer.alloc(8, 9),
  filteredAttributes: [tag('user', 'ann')],
});

const OTLP = encode({
  resourceMetrics: [
    {
      resource: {
        attributes: [
          tag('service.name', 'é "x"'),
          tag('empty', ''),
          pair('int', { intValue: '-9223372036854775808' }),
          pair('double', { doubleValue: 1e21 }),
          pair('small', { doubleValue: 1.5e-7 }),
          pair('bool', { boolValue: false }),
          pair('bytes', { bytesValue: Buffer.from([0, 255, 7]) }),
          pair('none', {}),
          pair('list', {
            arrayValue: {
              values: [
                { stringValue: 'a"\n<\\' },
                { intValue: 5 },
                { doubleValue: 2.5 },
                { boolValue: true },
                { arrayValue: { values: [{ doubleValue: 1e-9 }] } },
              ],
            },
          }),
          pair('map', {
            kvlistValue: { values: [tag('a', 'b'), pair('c', { kvlistValue: { values: [tag('d', 'e')] } })] },
          }),
        ],
      },
      scopeMetrics: [
        {
          scope: { name: 'lib', version: '1.2', attributes: [tag('x', 'y')] },
          metrics: [
            {
              name: 'my.gauge',
              unit: 's',
              description: 'help',
              gauge: {
                dataPoints: [
                  {
                    timeUnixNano: NS,
                    asDouble: 1.5,
                    attributes: [tag('p', 'q'), tag('p', 'r')],
                    exemplars: [exemplar(0.5), { asInt: 7, filteredAttributes: [tag('x', 'y'.repeat(130))] }],
                  },
                  { timeUnixNano: NS, asInt: '9007199254740993' },
                  { timeUnixNano: NS, asInt: '-7', attributes: [tag('service.name', 'own')] },
                  { asDouble: 5 },
                  { timeUnixNano: NS, asDouble: 1, flags: 1, attributes: [tag('gone', '1')] },
                ],
              },
            },
            {
              name: 'delta',
              sum: {
                aggregationTemporality: 1,
                isMonotonic: true,
                dataPoints: [{ timeUnixNano: NS, asDouble: 2 }],
              },
            },
            { name: 'nothing', gauge: {} },
            {
              name: 'h',
              unit: 'ms',
              histogram: {
                aggregationTemporality: 2,
                dataPoints: [
                  {
                    timeUnixNano: NS,
                    count: 6,
                    sum: 2.5,
                    bucketCounts: [1, 2, 3],
                    explicitBounds: [0.005, 1e21],
                    attributes: [tag('a', 'b')],
                    exemplars: [exemplar(5), exemplar(0.001), {}],
                  },
                  { timeUnixNano: NS, count: 1, bucketCounts: [1], min: 1, max: 2 },
                  {
                    timeUnixNano: NS,
                    count: 1,
                    sum: 1,
                    bucketCounts: [1, 2],
                    explicitBounds: [1, 2],
                    attributes: [tag('bad', '1')],
                  },
                ],
              },
            },
            {
              name: 'e',
              exponentialHistogram: {
                aggregationTemporality: 2,
                dataPoints: [
                  {
                    timeUnixNano: NS,
                    count: 15,
                    sum: 3.25,
                    scale: 3,
                    zeroCount: 4,
                    zeroThreshold: 0.001,
                    positive: { offset: -2, bucketCounts: [1, 0, 2, 300] },
                    negative: { offset: 5, bucketCounts: [1, 7] },
                    exemplars: [exemplar(2)],
                  },
                  {
                    timeUnixNano: NS,
                    count: 3,
                    sum: 1,
                    scale: -2,
                    zeroCount: 1,
                    positive: { bucketCounts: [1, 1] },
                    attributes: [tag('coarse', '')],
                  },
                ],
              },
            },
            {
              name: 's',
              summary: {
                dataPoints: [
                  {
                    timeUnixNano: NS,
                    count: 5,
                    sum: 1.25,
                    quantileValues: [
                      { quantile: 0.5, value: 1 },
                      { quantile: 1, value: 3 },
                    ],
                  },
                ],
              },
            },
          ],
        },
        { metrics: [{ name: 'no_scope', gauge: { dataPoints: [{ timeUnixNano: NS, asDouble: 1 }] } }] },
        {
          scope: {},
          metrics: [{ name: 'unnamed_scope', gauge: { dataPoints: [{ timeUnixNano: NS, asDouble: 1 }] } }],
        },
      ],
    },
    {
      scopeMetrics: [
        { metrics: [{ name: 'no_resource', gauge: { dataPoints: [{ timeUnixNano: NS, asDouble: 1 }] } }] },
      ],
    },
  ],
});
/** A record of Amazon Data Firehose: requests with their lengths in front. */
const FIREHOSE = JSON.stringify({
  requestId: 'r',
  timestamp: 1,
  records: [0, 1].map(() => ({
    data: Buffer.from(protobuf.Writer.create().bytes(OTLP).bytes(OTLP).finish()).toString('base64'),
  })),
});
const otlp = {
  protocol: 'opentelemetry',
  path: '/opentelemetry/v1/metrics',
  headers: { 'Content-Type': 'application/x-protobuf' },
};

const ZABBIX_ITEM = '"itemid":1,"name":"load 1","clock":1700000000,"ns":123999999';
const ZABBIX = text([
  `{"host":{"host":"h","name":"H é"},"groups":["g"],"item_tags":[{"tag":"b","value":"1"},{"tag":"a","value":""},{"tag":"b","value":"2"}],${ZABBIX_ITEM},"value":1.5,"type":0}`,
  `{"host":{"host":"h","name":"H"},"item_tags":[],${ZABBIX_ITEM},"value":18446744073709551615,"type":3}`,
  `{"host":{"host":"h","name":"H"},"item_tags":[],${ZABBIX_ITEM},"value":"text","type":4}`,
  `{"host":{"host":"h","name":""},"item_tags":[],${ZABBIX_ITEM},"value":1,"type":3}`,
  `{"host":{"host":"h","name":"H"},${ZABBIX_ITEM},"value":1,"type":3}`,
  `{"host":{"host":"h","name":"H"},"item_tags":[],${ZABBIX_ITEM},"value":"1","type":3}`,
  'bad',
]);
const zabbix = { protocol: 'zabbixconnector', path: '/zabbixconnector/api/v1/history' };

const influx = { protocol: 'influx', path: '/write' };

export const pushBodies: readonly PushBody[] = [
  { protocol: 'prometheus', path: '/api/v1/import/prometheus', body: PROMETHEUS, status: 204 },
  {
    protocol: 'prometheus',
    path: '/prometheus/api/v1/import/prometheus',
    query: 'timestamp=1234',
    body: 'm 1\n',
    status: 204,
  },
  {
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus',
    query: 'timestamp=x',
    body: 'm 1\n',
    status: 400,
  },
  {
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus/metrics/job/j/i@base64/PT0vPT0',
    body: 'm{a="b"} 1 1\n',
    status: 200,
  },
  {
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus/metrics/job/odd/number',
    body: 'm 1 1\n',
    status: 400,
  },
  ...(
    [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['zstd', zstdCompressSync],
      ['snappy', (bytes: Uint8Array) => compress(bytes)],
      ['identity', (bytes: Uint8Array) => bytes],
    ] as const
  ).map(([encoding, encode]) => ({
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus',
    headers: { 'Content-Encoding': encoding },
    body: encode(Buffer.from(PROMETHEUS)),
    status: 204,
  })),
  {
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus',
    headers: { 'Content-Encoding': 'br' },
    body: 'm 1\n',
    status: 400,
  },
  {
    protocol: 'prometheus',
    path: '/api/v1/import/prometheus',
    headers: { 'Content-Encoding': 'gzip' },
    body: 'm 1\n',
    status: 400,
  },
  { ...influx, headers: { 'Stream-Mode': '1' }, body: INFLUX, status: 204 },
  { ...influx, body: INFLUX, status: 400 },
  {
    ...influx,
    path: '/api/v2/write',
    query: 'db=base&precision=ns',
    body: 'm,t=1 a=1,b=2 1700000000123999999\nm,db=own a=1 5000000\n',
    status: 204,
  },
  { ...influx, path: '/influx/write', query: 'precision=s', body: 'm a=1 1700000000\n', status: 204 },
  {
    ...influx,
    path: '/influx/api/v2/write',
    query: 'precision=u',
    body: 'm a=1 1700000000123456\n',
    status: 204,
  },
  {
    protocol: 'newrelic',
    key: 'newrelic',
    path: '/newrelic/infra/v2/metrics/events/bulk',
    body: NEW_RELIC,
    status: 202,
  },
  { protocol: 'newrelic', path: '/newrelic/infra/v2/metrics/events/bulk', body: '[1]', status: 400 },
  { protocol: 'newrelic', path: '/newrelic', body: 'x', status: 202 },
  { protocol: 'newrelic', path: '/newrelic/inventory/deltas', body: '[]', status: 202 },
  { protocol: 'datadogv1', path: '/datadog/api/v1/series', body: DATADOG_1, status: 202 },
  { protocol: 'datadogv1', path: '/datadog/api/v1/series/', body: '{}', status: 202 },
  {
    protocol: 'datadogv1',
    path: '/datadog/api/v1/series',
    body: '{"series":[{"metric":"m","points":[["1",2]]}]}',
    status: 400,
  },
  { protocol: 'datadogsketches', path: '/datadog/api/beta/sketches', body: sketchPayload(), status: 202 },
  { protocol: 'datadogsketches', path: '/datadog/api/beta/sketches', body: 'garbage', status: 400 },
  { protocol: 'datadogv1', path: '/datadog/api/v1/validate', body: '', status: 200 },
  { protocol: 'datadogv1', path: '/datadog/api/v1/check_run', body: '[]', status: 202 },
  { protocol: 'datadogv2', path: '/datadog/api/v2/series', body: DATADOG_2, status: 202 },
  {
    protocol: 'datadogv2',
    path: '/datadog/api/v2/series',
    body: '{"series":[{"metric":"m","points":[{"timestamp":1.5}]}]}',
    status: 400,
  },
  {
    protocol: 'datadogv2',
    path: '/datadog/api/v2/series',
    headers: { 'Content-Type': 'application/x-protobuf' },
    body: datadogPayload(),
    status: 202,
  },
  { ...zabbix, body: ZABBIX, status: 200 },
  { ...zabbix, headers: { 'Content-Encoding': 'br' }, body: ZABBIX, status: 400 },
  { ...otlp, body: OTLP, status: 200 },
  {
    ...otlp,
    path: '/opentelemetry/api/v1/push',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'gzip' },
    body: gzipSync(OTLP),
    status: 200,
  },
  { ...otlp, body: '', status: 200 },
  { ...otlp, body: OTLP.subarray(0, -1), status: 400 },
  {
    ...otlp,
    headers: {
      'Content-Type': 'application/json',
      'X-Amz-Firehose-Protocol-Version': '1.0',
      'X-Amz-Firehose-Request-Id': 'r',
    },
    body: FIREHOSE,
    status: 200,
  },
  { protocol: 'vmimport', path: '/api/v1/import', body: JSON_LINES, status: 204 },
  { protocol: 'native', path: '/api/v1/import/native', body: NATIVE, status: 204 },
  { protocol: 'native', path: '/api/v1/import/native', body: NATIVE.subarray(0, 16), status: 204 },
  { protocol: 'native', path: '/api/v1/import/native', body: NATIVE.subarray(0, 40), status: 400 },
  { protocol: 'csvimport', path: '/api/v1/import/csv', query: CSV_FORMAT, body: CSV, status: 204 },
  { protocol: 'csvimport', path: '/api/v1/import/csv', query: 'format=1:metric', body: CSV, status: 400 },
];

export interface LineBody {
  readonly protocol: string;
  /** The option with the address. */
  readonly option: string;
  readonly body: string;
  /** How many rows are taken. */
  readonly rows: number;
  /** No release of vmagent takes it. */
  readonly isOurs?: boolean;
}

const OPENTSDB_HTTP = `[
  {"metric":"foo","timestamp":1700000000123,"value":"2.5","tags":{"a":"b","e":"","":"x"}},
  {"metric":"nan","value":"nan","timestamp":"1e3"}, {"metric":"inf","value":NaN,"timestamp":4294967295},
  {"metric":"now","value":1,"timestamp":0}, {"metric":"later","value":1,"timestamp":4294967296},
  {"metric":"fraction","value":1,"timestamp":1700000000.9,"x":[{}]},
  1, null, [1], {"metric":"","value":1}, {"metric":"bad"}, {"metric":"bad","value":true}, {"metric":"bad","value":1,"tags":[]},
  {"metric":"bad","value":1,"tags":{"a":1}}, {"metric":"bad","value":1,"timestamp":null}
]`;

/** A request on a connection that ends with it. */
function httpPut(name: string, body: string): string {
  const head = [
    `POST /api/put?extra_label=case=${name} HTTP/1.1`,
    'Host: relay',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** What goes to listeners for lines; its label `case` is the option. */
export const lineBodies: readonly LineBody[] = [
  {
    protocol: 'graphite',
    option: 'graphiteListenAddr',
    rows: 6,
    body: text([
      'foo;bar=baz;aa=;x=y;=z;case=graphiteListenAddr 1 2',
      's a;ta g1=aaa1;case=graphiteListenAddr;tag3 1.5 23',
      ' foo;case=graphiteListenAddr\t1  4294.943 ',
      'foo..bar\\;case=graphiteListenAddr nan 1700000000123',
      'now;case=graphiteListenAddr 1',
      'minus;case=graphiteListenAddr 1 -1',
      'bad;case=graphiteListenAddr bb',
      'bad',
    ]),
  },
  {
    protocol: 'opentsdb',
    option: 'opentsdbListenAddr',
    rows: 5,
    body: text([
      'put foobar 789.4 -1 a= b=c =d case=opentsdbListenAddr',
      'put  foo   4294967296   1   a=b=c   case=opentsdbListenAddr',
      'put foo 4294967295 inf case=opentsdbListenAddr',
      'put foo -5 1 case=opentsdbListenAddr',
      'put now 0 1 case=opentsdbListenAddr',
      'put bad 3df4 1 case=opentsdbListenAddr',
      'put bad 1 1 case=opentsdbListenAddr x',
      'bad',
    ]),
  },
  {
    protocol: 'opentsdbhttp',
    option: 'opentsdbHTTPListenAddr',
    rows: 6,
    body: httpPut('opentsdbHTTPListenAddr', OPENTSDB_HTTP),
  },
  {
    protocol: 'influx',
    option: 'influxListenAddr',
    rows: 4,
    body: text([
      'm,case=influxListenAddr a=1,b="x",c=5i 1700000000123456789',
      'bad',
      'n,case=influxListenAddr a=t',
    ]),
  },
  {
    protocol: 'statsd',
    option: 'statsdListenAddr',
    rows: 9,
    isOurs: true,
    body: text([
      'page.views:3|c|@0.5|#case:statsdListenAddr',
      'fuel:0.5:-1:+2|g|#case:statsdListenAddr|T1700000000',
      'disk,dev=sda:1|ms|@0.5|#case:statsdListenAddr,a:b:c|c:in-5',
      'users:17|s|#case:statsdListenAddr',
      'load:1e3|h|#case:statsdListenAddr',
      'size:-1|d|#case:statsdListenAddr',
      '_e{5,4}:title|text',
      '_sc|db|0',
      'bad:|c',
      'bad',
    ]),
  },
];

/** Sends the body over a connection of its own; resolves when it is closed. */
export function sendLines(port: number, { body }: LineBody): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.end(body));
    socket.on('close', () => resolve());
    socket.on('error', reject);
    socket.resume();
  });
}

export interface Pushed {
  readonly status: number;
  readonly text: string;
}

/** Pushes a body; its number is the label `case` of all its series. */
export async function pushBody(
  url: string,
  { path, query = '', headers = {}, body }: PushBody,
  number: number,
): Promise<Pushed> {
  const response = await fetch(`${url}${path}?${query}&extra_label=case=${number}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, text: await response.text() };
}

const DAY_MS = 86_400_000;

/** The rows of everything that a sink got, by case, as sorted text: labels in their order, `now` for recent times. */
export function rowsByCase(requests: readonly ReceivedRequest[], nowMs: number): Map<string, string[]> {
  const type = remoteWriteType('WriteRequest');
  const cases = new Map<string, string[]>();
  for (const { body, headers } of requests) {
    const message = type.decode(decompressBody(body, headers['content-encoding'] as string));
    const { timeseries } = type.toObject(message, { longs: Number, arrays: true, defaults: true });
    for (const { labels, samples } of timeseries as readonly Row[]) {
      const number = labels.find(({ name }) => name === 'case')?.value ?? '';
      const shown = labels
        .filter(({ name }) => name !== 'case')
        .map(({ name, value }) => `${name}=${JSON.stringify(value)}`);
      const rows = cases.get(number) ?? [];
      cases.set(number, rows);
      for (const { value, timestamp } of samples) {
        const time = Math.abs(timestamp - nowMs) < DAY_MS ? 'now' : timestamp;
        // Both sides: vmagent has no -0.
        rows.push(`{${shown.join(',')}} ${value + 0}@${time}`);
      }
    }
  }
  for (const rows of cases.values()) rows.sort();
  return cases;
}

interface Row {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
}
