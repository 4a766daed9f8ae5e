/**
 * `sluice diff`: what a new configuration would do to series that came lately to the running relay: how many would be
 * dropped, called otherwise, merged or sent elsewhere.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Decider } from '../engine/decider.ts';
import { explainSeries } from '../explainer.ts';
import { readKnownEndpoints } from '../known-endpoints.ts';
import { parseSeriesLine } from '../model/series-line.ts';
import { nodeFs } from '../queue/file/fs.ts';
import type { Endpoint } from '../route/endpoint.ts';
import { ADMIN_SOCKET } from '../service/admin-server.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { callAdmin } from './admin-client.ts';
import type { Command } from './command.ts';
import { type Offline, readOffline } from './offline.ts';

const CHUNK = 100;
const EXAMPLES = 3;
const summary = 'Show what a new configuration would change for the series that came lately.';
const usage = `\
sluice diff FLAGS… [-series=FILE]: ${summary}
  FLAGS         the new configuration, as the relay would be started with it: -config=new.yaml, -remoteWrite.url=…
  -series=FILE  these series, one a line, instead of some that the running relay got lately
The relay that runs on the configuration's -remoteWrite.tmpDataPath tells what it does now. Nothing is changed.
`;

/** What each destination gets of a series, by its name; null: nothing. */
type Outcome = Readonly<Record<string, string | null>>;

interface Explained {
  readonly series: string;
  readonly destinations: Outcome;
}

export const diff: Command = {
  summary,
  async run({ args, env, stdout, stderr }) {
    const seriesFlag = args.find((arg) => /^--?series=/.test(arg));
    const flags = args.filter((arg) => arg !== seriesFlag);
    if (flags.length === 0) {
      stdout(usage);
      return 0;
    }
    try {
      const offline = await readOffline(flags, env, { endpointsOf });
      const socket = path.join(offline.dataDirectory, ADMIN_SOCKET);
      const given = seriesFlag === undefined ? undefined : await readSeries(seriesFlag.split('=', 2)[1]!);
      const before = await explainRunning(socket, given);
      stdout(describe(compare(before, offline)));
      return 0;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      stderr(`sluice diff: ${error.message}\n`);
      return 1;
    }
  },
};

/** What it cannot read it says nothing of: then the service is compared as one destination. */
const silent: Pick<Logger, 'warn'> = { warn: () => {} };

async function endpointsOf(dataDirectory: string): Promise<readonly Endpoint[]> {
  return (await readKnownEndpoints(nodeFs, dataDirectory, silent)).current;
}

async function readSeries(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  } catch (error) {
    throw new SluiceError('bad_file', `cannot read ${file}: ${messageOf(error)}`);
  }
}

async function explainRunning(
  socket: string,
  series: readonly string[] | undefined,
): Promise<readonly Explained[]> {
  if (series === undefined) return (await callAdmin(socket, 'explain')) as Explained[];
  const explained: Explained[] = [];
  for (let at = 0; at < series.length; at += CHUNK) {
    const chunk = { series: series.slice(at, at + CHUNK) };
    explained.push(...((await callAdmin(socket, 'explain', chunk)) as Explained[]));
  }
  return explained;
}

const kinds = ['unchanged', 'dropped', 'kept again', 'other labels', 'other destinations', 'merged'] as const;
type Kind = (typeof kinds)[number];

export interface Comparison {
  readonly series: number;
  readonly found: ReadonlyMap<Kind, readonly string[]>;
}

export function compare(before: readonly Explained[], { source }: Pick<Offline, 'source'>): Comparison {
  const decider = new Decider(source.shape);
  const found = new Map<Kind, string[]>(kinds.map((kind) => [kind, []]));
  const after = before.map(({ series }) => {
    const labels = parseSeriesLine(series);
    if (labels === undefined) return undefined;
    const { destinations } = explainSeries(labels, source, decider);
    return Object.fromEntries(
      destinations.map(({ name, form }) => [name, form?.labels?.toString() ?? null] as const),
    );
  });
  const [merged, mergedBefore] = [sharedNames(after), sharedNames(before.map((one) => one.destinations))];
  for (const [index, { series, destinations }] of before.entries()) {
    const next = after[index];
    if (next === undefined) continue;
    const kind = kindOf(destinations, next);
    const example = kind === 'unchanged' ? series : `${shown(destinations)} → ${shown(next)}`;
    found.get(kind)!.push(example);
    // A name that it did not share before is one that another series has now.
    if (isShared(next, merged) && !isShared(destinations, mergedBefore)) found.get('merged')!.push(example);
  }
  return { series: before.length, found };
}

function kindOf(before: Outcome, after: Outcome): Kind {
  const [old, now] = [placesOf(before), placesOf(after)];
  if (old.length > 0 && now.length === 0) return 'dropped';
  if (old.length === 0 && now.length > 0) return 'kept again';
  if (old.join() !== now.join()) return 'other destinations';
  return old.every((name) => before[name] === after[name]) ? 'unchanged' : 'other labels';
}

function placesOf(outcome: Outcome): string[] {
  return Object.keys(outcome)
    .filter((name) => outcome[name] !== null)
    .sort();
}

/** Names that more than one series has at a destination. */
function sharedNames(outcomes: readonly (Outcome | undefined)[]): ReadonlySet<string> {
  const seen = new Map<string, number>();
  for (const outcome of outcomes) {
    for (const [name, series] of Object.entries(outcome ?? {})) {
      if (series !== null) seen.set(`${name} ${series}`, (seen.get(`${name} ${series}`) ?? 0) + 1);
    }
  }
  return new Set([...seen].filter(([, count]) => count > 1).map(([key]) => key));
}

function isShared(outcome: Outcome, shared: ReadonlySet<string>): boolean {
  return Object.entries(outcome).some(([name, series]) => series !== null && shared.has(`${name} ${series}`));
}

/** One line: the series where it is the same everywhere, and where it goes. */
function shown(outcome: Outcome): string {
  const places = placesOf(outcome);
  if (places.length === 0) return 'nowhere';
  const names = [...new Set(places.map((place) => outcome[place]))];
  return `${names.join(' and ')} at ${places.join(', ')}`;
}

function describe({ series, found }: Comparison): string {
  if (series === 0) return 'no series came lately; give some with -series=FILE\n';
  const lines = [`${series} series looked at\n`];
  for (const kind of kinds) {
    const examples = found.get(kind)!;
    const share = ((examples.length / series) * 100).toFixed(1);
    lines.push(`${kind.padEnd(20)} ${String(examples.length).padStart(6)}  ${share.padStart(5)} %\n`);
    if (kind === 'unchanged') continue;
    lines.push(...examples.slice(0, EXAMPLES).map((example) => `    ${example}\n`));
  }
  return lines.join('');
}
