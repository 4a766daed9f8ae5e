/** `sluice plan`: which share of the series moves when the list of shards changes. Touches neither network nor queues. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { NAME, NAME_RULE, nameFromUrl } from '../config/identity.ts';
import { Labels } from '../model/labels.ts';
import { parseSeriesLine } from '../model/series-line.ts';
import { type Movement, MovementCount } from '../route/movement.ts';
import { type PlacementMode, type PlacementSpec, placementModes } from '../route/placement.ts';
import { splitCommaList } from '../util/comma-list.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { loadHash64 } from '../util/hash64.ts';
import { nearestName } from '../util/names.ts';
import { thousands } from '../util/thousands.ts';
import type { Command } from './command.ts';
import { table } from './data-directory.ts';

const SYNTHETIC_SERIES = 100_000;
const VIRTUAL_NODES = 150;
/** The largest number of points that the daemon takes. */
const NUMBER_MAX = 10_000;

const summary =
  'Show which share of the series moves when shards are added, removed or placed in another way.';
const usage = `\
sluice plan -from=a,b,c [-to=a,b,c,d] [FLAGS] [FILE]: ${summary}
  -from, -to        the shards before and after: names, URLs, or name=URL, separated by commas
  -mode, -toMode    how series are placed before and after: ${placementModes.join(', ')} (default rendezvous;
                    after as before)
  -replicas, -toReplicas
                    copies of each series (default 1; after as before)
  -labels           only these labels count
  -ignoreLabels     these labels do not count
  -virtualNodes     points of a shard on the ring (default ${VIRTUAL_NODES})
  FILE              one series a line, metric{label="value"} or JSON as of /api/v1/series or /api/v1/export;
                    without it ${thousands(SYNTHETIC_SERIES)} made-up series
Mode vmagent goes by place and URL: give the URLs in the order of the flags, exactly as they are configured.
`;

const FLAGS = [
  ...['from', 'to', 'mode', 'toMode', 'replicas', 'toReplicas'],
  ...['labels', 'ignoreLabels', 'virtualNodes'],
] as const;
type Flags = Partial<Record<(typeof FLAGS)[number], string>>;

export const plan: Command = {
  summary,
  async run({ args, stdout, stderr }) {
    if (args.length === 0) {
      stdout(usage);
      return 0;
    }
    try {
      const { flags, file } = readArguments(args);
      const [before, after] = specsOf(flags);
      const count = new MovementCount(before, after, await loadHash64());
      const ignored = file === undefined ? addSynthetic(count) : await addFile(count, file);
      stdout(describe(before, after, count.result(), file ?? 'made up'));
      if (ignored > 0) stderr(`lines of ${file} that are no series, and do not count: ${ignored}\n`);
      return 0;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      stderr(`sluice plan: ${error.message}\n`);
      return 1;
    }
  },
};

function readArguments(args: readonly string[]): { flags: Flags; file: string | undefined } {
  const flags: Flags = {};
  let file: string | undefined;
  for (const arg of args) {
    const [, name, value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const flag = FLAGS.find((known) => known === name);
    if (flag !== undefined && value !== undefined) flags[flag] = value;
    else if (name !== undefined) throw badFlag(arg, name, flag);
    else if (file === undefined) file = arg;
    else throw new SluiceError('bad_argument', `cannot read ${arg}: one file at a time; join them`);
  }
  return { flags, file };
}

function badFlag(arg: string, name: string, flag: string | undefined): SluiceError {
  if (flag !== undefined) return new SluiceError('bad_flag', `${arg} has no value; write -${flag}=VALUE`);
  const nearest = nearestName(name, FLAGS);
  const hint = nearest === undefined ? 'see sluice plan' : `did you mean -${nearest}?`;
  return new SluiceError('bad_flag', `there is no flag -${name}; ${hint}`);
}

function specsOf(flags: Flags): [before: PlacementSpec, after: PlacementSpec] {
  if (flags.from === undefined) throw new SluiceError('missing', '-from is missing; write -from=a,b,c');
  const common = { labels: listOf(flags.labels), ignoreLabels: listOf(flags.ignoreLabels) };
  if (common.labels.length > 0 && common.ignoreLabels.length > 0) {
    throw new SluiceError('bad_flag', '-labels and -ignoreLabels are both set; keep one of them');
  }
  const virtualNodes = wholeNumber('virtualNodes', flags.virtualNodes, VIRTUAL_NODES);
  const mode = modeOf('mode', flags.mode, 'rendezvous');
  const replicas = wholeNumber('replicas', flags.replicas, 1);
  const before = { ...common, virtualNodes, mode, replicas, destinations: shardsOf('from', flags.from) };
  const after = {
    ...before,
    mode: modeOf('toMode', flags.toMode, mode),
    replicas: wholeNumber('toReplicas', flags.toReplicas, replicas),
    destinations: flags.to === undefined ? before.destinations : shardsOf('to', flags.to),
  };
  return [before, after];
}

const listOf = (text: string | undefined): string[] =>
  text === undefined ? [] : splitCommaList(text).filter((item) => item !== '');

function wholeNumber(flag: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= NUMBER_MAX) return number;
  const hint = `write a whole number from 1 to ${NUMBER_MAX}`;
  throw new SluiceError('bad_flag', `-${flag}=${text} cannot be used; ${hint}`);
}

function modeOf(flag: string, text: string | undefined, byDefault: PlacementMode): PlacementMode {
  if (text === undefined) return byDefault;
  const mode = placementModes.find((known) => known === text);
  if (mode !== undefined) return mode;
  throw new SluiceError(
    'bad_flag',
    `-${flag}=${text} is no mode; choose one of ${placementModes.join(', ')}`,
  );
}

/** A URL is called as the configuration calls a destination that has no name. */
function shardsOf(flag: string, text: string): { name: string; url: string }[] {
  const shards = listOf(text).map((item) => {
    const [, named, url] = /^([\w.-]+)=(.+)$/s.exec(item) ?? [];
    if (named !== undefined && url !== undefined) return { name: named, url };
    return { name: item.includes('://') ? nameFromUrl(item) : item, url: item };
  });
  if (shards.length === 0) throw new SluiceError('missing', `-${flag} is empty; write -${flag}=a,b,c`);
  const seen = new Set<string>();
  for (const { name } of shards) {
    if (!NAME.test(name)) {
      throw new SluiceError(
        'bad_name',
        `-${flag}: ${JSON.stringify(name)} cannot be a name; use ${NAME_RULE}`,
      );
    }
    if (seen.has(name)) {
      throw new SluiceError('bad_name', `-${flag}: two shards are called ${name}; write name=URL`);
    }
    seen.add(name);
  }
  return shards;
}

/** How many lines are neither series nor comments. */
async function addFile(count: MovementCount, file: string): Promise<number> {
  let ignored = 0;
  try {
    const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      if (line === '' || line.startsWith('#')) continue;
      const labels = parseSeriesLine(line);
      if (labels === undefined) ignored++;
      else count.add(labels);
    }
  } catch (error) {
    throw new SluiceError('unreadable', `cannot read ${file}: ${messageOf(error)}; check the path`);
  }
  return ignored;
}

/** Series as node-exporter and Kubernetes have them: 50 metrics of 400 pods on 40 nodes, with 5 codes each. */
function addSynthetic(count: MovementCount): number {
  const labels = new Labels();
  for (let index = 0; index < SYNTHETIC_SERIES; index++) {
    const pod = Math.floor(index / 250);
    labels.clear();
    labels.push('__name__', `metric_${index % 50}_total`);
    labels.push('cluster', `cluster-${pod % 4}`);
    labels.push('code', String(200 + (Math.floor(index / 50) % 5)));
    labels.push('env', pod % 10 === 0 ? 'staging' : 'production');
    labels.push('instance', `10.0.${pod % 40}.7:9100`);
    labels.push('job', `job-${pod % 12}`);
    labels.push('namespace', `namespace-${pod % 16}`);
    labels.push('pod', `web-${pod}`);
    labels.push('service', `service-${pod % 25}`);
    count.add(labels);
  }
  return 0;
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`;

function describe(before: PlacementSpec, after: PlacementSpec, movement: Movement, source: string): string {
  const { series, copiesBefore, copiesAfter, moved, destinations } = movement;
  const rows = destinations.map((row) => [
    row.name,
    row.before,
    percent(row.before, copiesBefore),
    row.after,
    percent(row.after, copiesAfter),
    row.arriving,
    row.leaving,
  ]);
  return [
    table([
      ['series', `${series} (${source})`],
      ['before', sideText(before, copiesBefore)],
      ['after', sideText(after, copiesAfter)],
      ['moved', `${moved} of ${copiesAfter} copies: ${percent(moved, copiesAfter)}`],
    ]),
    table([['SHARD', 'BEFORE', '', 'AFTER', '', 'ARRIVING', 'LEAVING'], ...rows]),
  ].join('\n');
}

function sideText({ destinations, mode, replicas }: PlacementSpec, copies: number): string {
  const shards = destinations.length === 1 ? '1 shard' : `${destinations.length} shards`;
  const how =
    replicas >= destinations.length ? 'every shard has every series' : `${mode}, ${replicas} of each`;
  return `${shards}, ${how}, ${copies} copies`;
}
