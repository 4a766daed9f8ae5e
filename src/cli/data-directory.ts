/** What `sluice queue` and `sluice dlq` have in common: which data directory, and words for people. */
import path from 'node:path';
import { queueOptions } from '../queue/options.ts';
import { SluiceError } from '../util/error.ts';
import { nearestName } from '../util/names.ts';
import type { Command, CommandContext } from './command.ts';

export interface Verb {
  /** How the arguments are written, for example `NAME [ID]`. */
  readonly usage: string;
  readonly summary: string;
  /** The exit code. Throws a SluiceError for people. */
  run(directory: string, args: readonly string[], context: CommandContext): Promise<number>;
}

/** A command of verbs, `sluice queue ls`; `-dir=PATH` names the data directory, anywhere among the arguments. */
export function verbCommand(name: string, summary: string, verbs: Readonly<Record<string, Verb>>): Command {
  const usage = [
    `sluice ${name} VERB [-dir=PATH]: ${summary}`,
    `  -dir is the data directory (-remoteWrite.tmpDataPath), by default ${queueOptions['remoteWrite.tmpDataPath'].default}`,
    '',
    ...Object.entries(verbs).map(
      ([verb, { usage, summary }]) => `  ${`${verb} ${usage}`.padEnd(34)} ${summary}`,
    ),
    '',
  ].join('\n');
  return {
    summary,
    async run(context) {
      const flags = context.args.filter((arg) => arg.startsWith('-'));
      const [verbName, ...args] = context.args.filter((arg) => !arg.startsWith('-'));
      if (verbName === undefined) {
        context.stdout(usage);
        return 0;
      }
      const verb = Object.hasOwn(verbs, verbName) ? verbs[verbName] : undefined;
      if (verb === undefined) {
        const nearest = nearestName(verbName, Object.keys(verbs));
        const hint = nearest === undefined ? `see sluice ${name}` : `did you mean ${nearest}?`;
        context.stderr(`sluice ${name}: there is no verb ${JSON.stringify(verbName)}; ${hint}\n`);
        return 1;
      }
      try {
        return await verb.run(directoryOf(flags), args, context);
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        context.stderr(`sluice ${name} ${verbName}: ${error.message}\n`);
        return 1;
      }
    },
  };
}

function directoryOf(flags: readonly string[]): string {
  let directory: string = queueOptions['remoteWrite.tmpDataPath'].default;
  for (const flag of flags) {
    const match = /^--?(?:dir|remoteWrite\.tmpDataPath)=(.+)$/.exec(flag);
    if (match === null) throw new SluiceError('bad_flag', `there is no flag ${flag}; write -dir=PATH`);
    directory = match[1]!;
  }
  return path.resolve(directory);
}

export function needed(args: readonly string[], index: number, what: string): string {
  const value = args[index];
  if (value === undefined) throw new SluiceError('missing', `${what} is missing`);
  return value;
}

/** Columns of equal width. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, index) => Math.max(known[index] ?? 0, String(cell).length)),
    [],
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => String(cell).padEnd(widths[index]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
