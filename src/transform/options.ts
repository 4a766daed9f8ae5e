import { options } from '../config/option.ts';

export const transformOptions = options({
  'remoteWrite.relabelConfig': {
    kind: 'string',
    default: '',
    placeholder: 'path or URL',
    summary:
      'File with relabeling rules for everything that comes in. SIGHUP and /-/reload read it again. See docs/relabeling.md.',
  },
  'remoteWrite.urlRelabelConfig': {
    kind: 'string',
    arity: 'destination',
    default: '',
    placeholder: 'path or URL',
    summary: 'File with relabeling rules for what this destination gets.',
  },
  'remoteWrite.label': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'name=value',
    summary:
      'A label that every series gets before it is sent; it takes the place of one with the same name.',
  },
  'remoteWrite.significantFigures': {
    kind: 'int',
    arity: 'destination',
    default: 0,
    min: 0,
    max: 1_000,
    summary: 'Round values to this many significant figures, which makes them shorter. 0 and above 17: not.',
  },
  'remoteWrite.roundDigits': {
    kind: 'int',
    arity: 'destination',
    default: 100,
    min: -1_000,
    max: 1_000,
    summary:
      'Round values to this many digits after the point, before it if negative. Below -99 and above 99: not.',
  },
  'remoteWrite.maxHourlySeries': {
    kind: 'int',
    default: 0,
    min: -1,
    summary:
      'The largest number of different series within an hour; samples of further ones are dropped. 0: no limit, -1: series are only counted.',
  },
  'remoteWrite.maxDailySeries': {
    kind: 'int',
    default: 0,
    min: -1,
    summary:
      'The largest number of different series within 24 hours; samples of further ones are dropped. 0: no limit, -1: series are only counted.',
  },
  maxIngestionRate: {
    kind: 'int',
    default: 0,
    min: 0,
    summary:
      'How many samples a second are taken, before relabeling; clients that send more wait for their answers. 0: no limit.',
  },
  maxFutureOffset: {
    kind: 'duration',
    default: 0,
    min: 0,
    ours: true,
    summary:
      'Samples that are later than now by more than this are counted (sluice_future_samples_total). 0: not looked at.',
  },
  dropFutureSamples: {
    kind: 'bool',
    default: false,
    ours: true,
    summary: 'Drop the samples that -maxFutureOffset counts.',
  },
  maxLabelsPerTimeseries: {
    kind: 'int',
    default: 0,
    min: 0,
    summary: 'Series with more labels, after relabeling, are dropped. 0: no limit.',
  },
  maxLabelNameLen: {
    kind: 'int',
    default: 0,
    min: 0,
    summary: 'Series with a longer label name, in bytes, are dropped. 0: no limit.',
  },
  maxLabelValueLen: {
    kind: 'int',
    default: 0,
    min: 0,
    summary: 'Series with a longer label value, in bytes, are dropped. 0: no limit.',
  },
  sortLabels: {
    kind: 'bool',
    default: false,
    summary: 'Sort the labels of every series by name.',
  },
  usePromCompatibleNaming: {
    kind: 'bool',
    default: false,
    summary:
      'Replace what Prometheus does not allow in metric and label names by underscores: foo.bar{a.b="c"} becomes foo_bar{a_b="c"}.',
  },
});
