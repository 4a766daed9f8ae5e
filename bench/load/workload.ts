/**
 * What the bench sends: remote-write bodies made like those of a Prometheus that scrapes a Kubernetes cluster.
 * Every target has 100 series (three histograms of twelve buckets, counters and gauges), neighbours in a body come
 * from the same target, labels are sorted, a series is ~300 bytes before compression. The same spec gives the same
 * bytes on every machine.
 */
import { compress } from 'snappyjs';

export interface WorkloadSpec {
  readonly series: number;
  readonly seriesPerRequest: number;
  /** Distinct scrapes that are encoded ahead (own timestamps and values); a run sends them over and over. */
  readonly scrapes: number;
}

export interface EncodedBody {
  readonly raw: Uint8Array;
  readonly compressed: Uint8Array;
  readonly samples: number;
}

const FIRST_SCRAPE_MS = 1_790_000_000_000;
const SCRAPE_INTERVAL_MS = 15_000;
const SERIES_PER_TARGET = 100;

const HISTOGRAMS = [
  'http_request_duration_seconds',
  'http_response_size_bytes',
  'grpc_server_handling_seconds',
];
const BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1.0', '2.5', '5.0', '10.0', '+Inf'];
const PLAIN = [
  ...[
    'network_receive_bytes',
    'network_transmit_bytes',
    'network_receive_packets',
    'network_transmit_packets',
  ],
  ...[
    'network_receive_errors',
    'network_transmit_errors',
    'cpu_usage_seconds',
    'cpu_user_seconds',
    'cpu_cfs_periods',
  ],
  ...['cpu_cfs_throttled_periods', 'cpu_cfs_throttled_seconds', 'fs_reads', 'fs_reads_bytes', 'fs_writes'],
  ...['fs_writes_bytes', 'memory_failures', 'oom_events', 'last_seen', 'memory_rss', 'memory_cache'],
  ...['memory_swap', 'memory_usage_bytes', 'memory_working_set_bytes', 'memory_mapped_file', 'processes'],
  ...[
    'sockets',
    'threads',
    'file_descriptors',
    'fs_usage_bytes',
    'fs_limit_bytes',
    'tasks_state',
    'start_time',
  ],
].map((name) => `container_${name}_total`);

export type Label = readonly [name: string, value: string];

/** When a scrape is, in Unix milliseconds. */
export const scrapeMs = (scrape: number): number => FIRST_SCRAPE_MS + scrape * SCRAPE_INTERVAL_MS;

/** The labels of one series, sorted by name as Prometheus sends them. */
export function labelsOf(index: number): Label[] {
  const target = Math.floor(index / SERIES_PER_TARGET);
  const member = index % SERIES_PER_TARGET;
  const node = (target * 7919) % 61;
  const buckets = HISTOGRAMS.length * BOUNDS.length;
  const own: Label[] =
    member < buckets
      ? [
          ['__name__', `${HISTOGRAMS[Math.floor(member / BOUNDS.length)]}_bucket`],
          ['handler', `/api/v1/orders/${target % 9}`],
          ['le', BOUNDS[member % BOUNDS.length]!],
        ]
      : [
          ['__name__', PLAIN[(member - buckets) % PLAIN.length]!],
          [
            'id',
            `/kubepods/burstable/pod${(target * 2654435761).toString(16).padStart(12, '0').slice(0, 12)}`,
          ],
          ['interface', `eth${Math.floor((member - buckets) / PLAIN.length)}`],
        ];
  const ofTarget: Label[] = [
    ['cluster', 'prod-eu-1'],
    ['container', `service-${target % 37}`],
    ['instance', `10.${node}.${(target >> 8) & 255}.${target & 255}:10250`],
    ['job', 'kubelet'],
    ['namespace', `team-${target % 50}`],
    ['node', `ip-10-${node}-0-${target % 250}.eu-west-1.compute.internal`],
    [
      'pod',
      `service-${target % 37}-${(target * 40503).toString(36).padStart(9, '7d9f8c6b5')}-${target.toString(36).padStart(5, 'x')}`,
    ],
  ];
  return [...own, ...ofTarget].sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * The value of a series at a scrape: counters mostly, whole and fractional, some that rest and some gauges. Never 0, which
 * vmagent leaves out, so that its bytes would be others.
 */
export function sampleValue(index: number, scrape: number): number {
  const mixed = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  if (mixed % 10 < 3) return (mixed % 100_000) + 1; // a third of real series does not move from scrape to scrape
  if (mixed % 10 < 7) return (mixed % 1_000_000) + 1 + scrape * (mixed % 997);
  return Math.round(((mixed % 65_521) + Math.sin(mixed + scrape) * 100) * 1000) / 1000;
}

class Writer {
  bytes = Buffer.allocUnsafe(1 << 20);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  field(tag: number, bytes: Uint8Array): void {
    this.varint(tag);
    this.varint(bytes.length);
    this.append(bytes);
  }

  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    return taken;
  }
}

const BYTES_FIELD_1 = 0x0a;
const BYTES_FIELD_2 = 0x12;

// Scratch, emptied by every `take`.
const label = new Writer();
const all = new Writer();
const sample = new Writer();
const double = Buffer.alloc(8);

function encodeLabels(labels: readonly Label[]): Buffer {
  for (const [name, value] of labels) {
    label.field(BYTES_FIELD_1, Buffer.from(name));
    label.field(BYTES_FIELD_2, Buffer.from(value));
    all.field(BYTES_FIELD_1, label.take());
  }
  return all.take();
}

function encodeSample(value: number, timestampMs: number): Buffer {
  double.writeDoubleLE(value);
  // proto3 leaves out zero fields; a relay that encodes anew would, so the bytes must be the same from the start.
  if (!Object.is(value, 0)) {
    sample.varint(0x09);
    sample.append(double);
  }
  sample.varint(0x10);
  sample.varint(timestampMs);
  return sample.take();
}

export interface EncodedSeries {
  readonly labels: readonly Label[];
  readonly samples: readonly (readonly [value: number, timestampMs: number])[];
}

/** A WriteRequest. */
export function encodeRequest(all: readonly EncodedSeries[]): Uint8Array {
  const series = new Writer();
  const request = new Writer();
  for (const { labels, samples } of all) {
    series.append(encodeLabels(labels));
    for (const [value, timestampMs] of samples) series.field(BYTES_FIELD_2, encodeSample(value, timestampMs));
    request.field(BYTES_FIELD_1, series.take());
  }
  return request.take();
}

/** The bodies of `scrapes` scrapes of all series, scrape after scrape. */
export function makeWorkload(spec: WorkloadSpec): EncodedBody[] {
  const labels = Array.from({ length: spec.series }, (_, index) => encodeLabels(labelsOf(index)));
  const bodies: EncodedBody[] = [];
  const series = new Writer();
  const request = new Writer();
  for (let scrape = 0; scrape < spec.scrapes; scrape++) {
    const timestampMs = scrapeMs(scrape);
    for (let from = 0; from < spec.series; from += spec.seriesPerRequest) {
      const to = Math.min(from + spec.seriesPerRequest, spec.series);
      for (let index = from; index < to; index++) {
        series.append(labels[index]!);
        series.field(BYTES_FIELD_2, encodeSample(sampleValue(index, scrape), timestampMs));
        request.field(BYTES_FIELD_1, series.take());
      }
      const raw = request.take();
      bodies.push({ raw, compressed: compress(raw), samples: to - from });
    }
  }
  return bodies;
}
