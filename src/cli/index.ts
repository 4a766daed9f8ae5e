import { nearestName } from '../util/names.ts';
import type { Command, CommandContext } from './command.ts';
import { diff } from './diff.ts';
import { dlq } from './dlq.ts';
import { helpText } from './help.ts';
import { plan } from './plan.ts';
import { queue } from './queue.ts';
import { test } from './test.ts';
import { versionText } from './version.ts';

const help: Command = {
  summary: 'Show all flags and commands, as -help does.',
  run({ schema, stdout }) {
    stdout(helpText(schema, commands));
    return Promise.resolve(0);
  },
};

const version: Command = {
  summary: 'Show the version, as -version does.',
  run({ stdout }) {
    stdout(`${versionText()}\n`);
    return Promise.resolve(0);
  },
};

/** Every `sluice COMMAND`; a new one is a file and a line here. Without a command the daemon runs. */
export const commands = { help, version, test, diff, plan, queue, dlq } satisfies Record<string, Command>;

/** The exit code of the command that the arguments name; undefined if they begin with a flag, or there are none. */
export async function runCommand(
  args: readonly string[],
  context: Omit<CommandContext, 'args'>,
  registry: Readonly<Record<string, Command>> = commands,
): Promise<number | undefined> {
  const [name, ...rest] = args;
  if (name === undefined || name.startsWith('-')) return undefined;
  const command = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (command !== undefined) return command.run({ ...context, args: rest });
  const nearest = nearestName(name, Object.keys(registry));
  const hint = nearest === undefined ? 'see sluice -help' : `did you mean sluice ${nearest}?`;
  context.stderr(`sluice: there is no command ${JSON.stringify(name)}; ${hint} (flags begin with a dash)\n`);
  return 1;
}
