import { options } from '../config/option.ts';
import { whenDownChoices } from './health.ts';
import { placementModes } from './placement.ts';

const routings = ['replicate', 'shard', 'spread'] as const;

export const routeOptions = options({
  'remoteWrite.routing': {
    kind: 'string',
    choices: routings,
    default: 'replicate',
    placeholder: 'choice',
    ours: true,
    summary:
      'What destinations are to each other. replicate: each gets everything; shard: each gets some of the series, as with -remoteWrite.shardByURL; spread: each gets some of the blocks, in turn, for destinations that write to the same store.',
  },
  'remoteWrite.shardByURL': {
    kind: 'bool',
    default: false,
    summary:
      'Give each series to -remoteWrite.shardByURLReplicas of the destinations instead of to all. Metadata still goes to all.',
  },
  'remoteWrite.shardByURLReplicas': {
    kind: 'int',
    default: 1,
    summary:
      'How many destinations get each series with -remoteWrite.shardByURL. As many as there are destinations, or more, is replication.',
  },
  'remoteWrite.shardByURL.labels': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'label',
    summary: 'Series that agree in these labels go to the same destinations. By default all labels count.',
  },
  'remoteWrite.shardByURL.ignoreLabels': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'label',
    summary: 'Series that differ only in these labels go to the same destinations.',
  },
  'remoteWrite.shardByURL.mode': {
    kind: 'string',
    choices: placementModes,
    default: 'rendezvous',
    placeholder: 'choice',
    ours: true,
    summary:
      'How series find their destinations. rendezvous: by the names of the destinations, whatever their URLs and order; vmagent: exactly as vmagent does, by place and URL; ring: by the names, on a ring of -remoteWrite.shardByURL.virtualNodes points each.',
  },
  'remoteWrite.shardByURL.virtualNodes': {
    kind: 'int',
    default: 150,
    min: 1,
    max: 10_000,
    ours: true,
    summary:
      'Points of each destination with -remoteWrite.shardByURL.mode=ring. More of them make shares more even.',
  },
  'remoteWrite.shardByURL.whenDown': {
    kind: 'string',
    choices: whenDownChoices,
    default: 'buffer',
    placeholder: 'choice',
    ours: true,
    summary:
      'What happens to the series of a destination that is down. buffer: they wait in its queue; reroute: after -remoteWrite.shardByURL.downAfter new samples go to the others; reroute-at: they do when its queue is -remoteWrite.shardByURL.rerouteAtPercent full.',
  },
  'remoteWrite.shardByURL.rerouteAtPercent': {
    kind: 'int',
    default: 80,
    min: 1,
    max: 100,
    ours: true,
    summary:
      'How full the queue of a destination gets before its series go elsewhere, with -remoteWrite.shardByURL.whenDown=reroute-at. They come back at half of it.',
  },
  'remoteWrite.shardByURL.downAfter': {
    kind: 'duration',
    default: 30_000,
    ours: true,
    summary:
      'How long nothing must have worked at a destination before its series go elsewhere, with -remoteWrite.shardByURL.whenDown=reroute.',
  },
  'remoteWrite.shardByURL.holdTime': {
    kind: 'duration',
    default: 60_000,
    ours: true,
    summary: 'How long a destination must have been well before it gets its series back.',
  },
  'remoteWrite.spreadHoldTime': {
    kind: 'duration',
    default: 10_000,
    ours: true,
    summary:
      'How long a destination that fails is passed over with -remoteWrite.routing=spread, before the next block tries it.',
  },
  'remoteWrite.discovery.service': {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    ours: true,
    summary:
      'Destinations are the addresses of this name, for example of a headless service of Kubernetes, or the targets of an SRV name such as _http._tcp.vminsert.example. Give the full name, and one -remoteWrite.url that says all but the host.',
  },
  'remoteWrite.discovery.refreshInterval': {
    kind: 'duration',
    default: 30_000,
    min: 1_000,
    ours: true,
    summary: 'How often -remoteWrite.discovery.service is looked up.',
  },
  'remoteWrite.discovery.timeout': {
    kind: 'duration',
    default: 5_000,
    min: 100,
    ours: true,
    summary: 'How long a look-up may take.',
  },
  'remoteWrite.discovery.resolver': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'address:port',
    ours: true,
    summary:
      'DNS servers that are asked for -remoteWrite.discovery.service, as IP addresses with or without a port, instead of those of the system.',
  },
  'remoteWrite.discovery.fallbackOnEmpty': {
    kind: 'bool',
    default: false,
    ours: true,
    summary:
      'Write everything to -remoteWrite.url itself when the look-up finds nothing, instead of keeping the last destinations that it found.',
  },
});
