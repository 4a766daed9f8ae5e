import { options } from '../../config/option.ts';

const CONFIG = 'File with rules of stream aggregation';
const KEEP = 'Samples that a rule takes go on as they are, too. With dropInput: only they do.';
const DROP = 'No samples go on beside what rules tell. With keepInput: only those that a rule takes do.';
const DEDUP =
  'Let only one sample of each series go on in this interval, the last one; rules deduplicate what they take in the same way. 0: not.';
const DROP_LABELS = 'Labels that are dropped before samples are deduplicated and aggregated';
const OLD = 'Leave samples out of rules that are older than the running interval.';
const FIRST = 'How many intervals of a rule are not told after the start.';
const WINDOWS =
  'Put samples into the intervals that their timestamps say, not into those in which they come.';

export const aggregationOptions = options({
  'streamAggr.config': {
    kind: 'string',
    default: '',
    placeholder: 'path or URL',
    summary: `${CONFIG} for everything that comes in. SIGHUP and /-/reload read it again. See docs/aggregation.md.`,
  },
  'streamAggr.keepInput': { kind: 'bool', default: false, summary: KEEP },
  'streamAggr.dropInput': { kind: 'bool', default: false, summary: DROP },
  'streamAggr.dedupInterval': { kind: 'duration', default: 0, min: 0, summary: DEDUP },
  'streamAggr.dropInputLabels': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'label',
    summary: `${DROP_LABELS}.`,
  },
  'streamAggr.ignoreOldSamples': { kind: 'bool', default: false, summary: OLD },
  'streamAggr.ignoreFirstIntervals': { kind: 'int', default: 0, min: 0, summary: FIRST },
  'streamAggr.enableWindows': { kind: 'bool', default: false, summary: WINDOWS },
  'streamAggr.keepState': {
    kind: 'bool',
    default: true,
    summary:
      'Keep what unfinished intervals hold over a restart, in the data directory. Without it a stop ends all intervals, as in vmagent.',
    ours: true,
  },
  'remoteWrite.streamAggr.config': {
    kind: 'string',
    arity: 'destination',
    default: '',
    placeholder: 'path or URL',
    summary: `${CONFIG} for what this destination gets.`,
  },
  'remoteWrite.streamAggr.keepInput': { kind: 'bool', arity: 'destination', default: false, summary: KEEP },
  'remoteWrite.streamAggr.dropInput': { kind: 'bool', arity: 'destination', default: false, summary: DROP },
  'remoteWrite.streamAggr.dedupInterval': {
    kind: 'duration',
    arity: 'destination',
    default: 0,
    min: 0,
    summary: DEDUP,
  },
  'remoteWrite.streamAggr.dropInputLabels': {
    kind: 'string',
    arity: 'destination',
    default: '',
    placeholder: 'label^^label',
    summary: `${DROP_LABELS}; several are separated by ^^.`,
  },
  'remoteWrite.streamAggr.ignoreOldSamples': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    summary: OLD,
  },
  'remoteWrite.streamAggr.ignoreFirstIntervals': {
    kind: 'int',
    arity: 'destination',
    default: 0,
    min: 0,
    summary: FIRST,
  },
  'remoteWrite.streamAggr.enableWindows': {
    kind: 'bool',
    arity: 'destination',
    default: false,
    summary: WINDOWS,
  },
});
