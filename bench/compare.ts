/**
 * `npm run bench`: measures Sluice and a peer (vmagent, or the Sluice of another checkout) in turn, A B A B, on the
 * same bodies and against the same sink. docs/benchmarks.md tells what is measured and how.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findProgram } from '../test/support/programs.ts';
import { Bench } from './bench.ts';
import type { Relay } from './relay.ts';
import { meetsTarget, ratioOf, type Series, table } from './report.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

const USAGE = `npm run bench -- [options]
  --scenario NAME   only this one (may be repeated): ${Object.keys(scenarios).join(', ')}
  --rounds N        measurements of each relay and scenario (default 5)
  --vmagent PATH    the vmagent to compare with (default: .cache/programs, then PATH)
  --sluice DIR      the checkout that is measured (default: this one)
  --base DIR        compare with the Sluice of this checkout instead of vmagent
  --only WHICH      measure one side only: sluice or peer
  --json FILE       also write all figures there
  --check           exit with 1 if a target is missed`;

const { values: args } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true, default: Object.keys(scenarios) },
    rounds: { type: 'string', default: '5' },
    vmagent: { type: 'string' },
    sluice: { type: 'string', default: join(import.meta.dirname, '..') },
    base: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const sluiceOf = (directory: string): string => resolve(directory, 'bin/sluice');

function relaysToMeasure(): Relay[] {
  const subject: Relay = { name: 'sluice', command: sluiceOf(args.sluice) };
  const peer: Relay = args.base
    ? { name: `sluice of ${args.base}`, command: sluiceOf(args.base) }
    : { name: 'vmagent', command: args.vmagent ?? findProgram('vmagent') ?? '' };
  const relays = args.only === 'sluice' ? [subject] : args.only === 'peer' ? [peer] : [subject, peer];
  for (const { name, command } of relays) {
    if (!existsSync(command)) {
      throw new Error(
        `cannot find ${name} at '${command}'; give its path, or fetch vmagent by 'node scripts/programs.ts'`,
      );
    }
  }
  return relays;
}

async function measureScenario(
  bench: Bench,
  scenario: Scenario,
  relays: readonly Relay[],
): Promise<Series[]> {
  const series = relays.map((relay) => ({ relay: relay.name, runs: [] as Record<string, number>[] }));
  for (let round = 0; round < Number(args.rounds); round++) {
    for (const [index, relay] of relays.entries()) {
      const figures = await scenario.measure(bench, relay);
      series[index]!.runs.push(figures);
      const shown = scenario.columns.map(({ key, title, format }) => `${title} ${format(figures[key]!)}`);
      console.error(`  ${relay.name}: ${shown.join(', ')}`);
    }
  }
  return series;
}

async function main(): Promise<number> {
  if (args.help) {
    console.log(USAGE);
    return 0;
  }
  const relays = relaysToMeasure();
  const bench = new Bench();
  const machine = `${cpus().length} × ${cpus()[0]!.model}, Linux ${release()}, Node ${process.version}`;
  console.log(`# ${relays.map(({ name }) => name).join(' and ')}, ${args.rounds} rounds\n\n${machine}\n`);
  const results: Record<string, Series[]> = {};
  let missed = 0;
  try {
    // The first start after a change of the sources strips their types, which takes 16 MB; `npm ci` does it elsewhere.
    for (const relay of relays) await (await bench.start(relay, { flags: [], pinned: false }, [9])).stop();
    for (const name of args.scenario) {
      const scenario: Scenario | undefined = scenarios[name as keyof typeof scenarios];
      if (!scenario) throw new Error(`there is no scenario '${name}'\n${USAGE}`);
      console.error(name);
      const series = await measureScenario(bench, scenario, relays);
      results[name] = series;
      console.log(table(scenario, series));
      const [subject, peer] = series;
      if (!subject || !peer) continue;
      missed += scenario.columns.filter(
        (column) => !meetsTarget(column, ratioOf(column, subject, peer)),
      ).length;
    }
  } finally {
    await bench.close();
  }
  if (args.json) writeFileSync(args.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);
  return args.check && missed > 0 ? 1 : 0;
}

process.exitCode = await main();
