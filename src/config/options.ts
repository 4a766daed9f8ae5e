import { options } from './option.ts';

/** Where the configuration comes from, and what to do with it. */
export const configOptions = options({
  config: {
    kind: 'string',
    default: '',
    placeholder: 'path',
    ours: true,
    summary: 'YAML file with the configuration. Flags and environment variables win against it.',
  },
  'envflag.enable': {
    kind: 'bool',
    default: false,
    summary:
      'Take options also from environment variables: `-remoteWrite.url` is `remoteWrite_url`. Flags win against them.',
  },
  'envflag.prefix': {
    kind: 'string',
    default: '',
    summary: 'What the names of environment variables begin with, for example `SLUICE_`.',
  },
  dryRun: {
    kind: 'bool',
    default: false,
    summary: 'Check the whole configuration, say what is wrong with it and exit: 0 if it is valid, else 1.',
  },
  'secret.flags': {
    kind: 'string',
    arity: 'list',
    default: [],
    placeholder: 'name',
    summary: 'Options whose values are not shown on /flags and in the log, besides those that always are.',
  },
  help: { kind: 'bool', default: false, summary: 'Show this text and exit.', aliases: ['h'] },
  version: { kind: 'bool', default: false, summary: 'Show the version and exit.' },
});

/** What a destination is, whatever its kind. */
export const destinationOptions = options({
  'remoteWrite.url': {
    kind: 'secret',
    arity: 'list',
    default: [],
    placeholder: 'URL',
    notReference: true,
    summary:
      'Where to write to: `http://host:port/api/v1/write`, `https://…` or `file:PATH`. Give it once for every destination; each gets all data. At least one is needed.',
  },
  'remoteWrite.name': {
    kind: 'string',
    arity: 'destination',
    default: '',
    defaultText: 'from host and port of the URL',
    ours: true,
    summary:
      'What this destination is called in the data directory. A destination that keeps its name keeps its unsent data when its URL changes.',
  },
  'remoteWrite.showURL': {
    kind: 'bool',
    default: false,
    summary:
      'Show the URLs of destinations in metrics, logs and pages. They are hidden otherwise because they can hold credentials; passwords in `user:password@` are hidden always.',
  },
});

/** Options that say how to read the configuration, so that they can only be flags. */
export const flagOnly: readonly string[] = ['envflag.enable', 'envflag.prefix', 'help', 'version'];
