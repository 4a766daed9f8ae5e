/** From the command line to a configuration that the daemon can run with, or to the end of the program. */
import type { Check } from '../config/check.ts';
import type { Schema } from '../config/collect.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { OptionTable } from '../config/option.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import type { CliPorts } from './command.ts';
import { commands, runCommand } from './index.ts';

export type Start<T extends OptionTable> =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'run'; readonly config: Config<T> };

/**
 * Commands, -help, -version, -dryRun and configuration errors end here: their text is printed, `code` is for
 * `process.exitCode` (0, or 1 if something is wrong). Warnings of a configuration that runs are left to the log.
 */
export async function prepareStart<T extends OptionTable>(
  args: readonly string[],
  schema: Schema<T>,
  checks: readonly Check<T>[],
  ports: CliPorts,
): Promise<Start<T>> {
  const context = { ...ports, schema };
  const code = await runCommand(args, context);
  if (code !== undefined) return { kind: 'exit', code };
  const { config, problems } = await loadConfig({ schema, args, env: ports.env, checks });
  const { help, version, dryRun } = config.values as Readonly<Record<string, unknown>>;
  if (help === true) return { kind: 'exit', code: await commands.help.run({ ...context, args: [] }) };
  if (version === true) return { kind: 'exit', code: await commands.version.run({ ...context, args: [] }) };
  if (problems.length > 0) {
    ports.stderr(problemsText(problems, config.warnings));
    return { kind: 'exit', code: 1 };
  }
  if (dryRun !== true) return { kind: 'run', config };
  ports.stderr(config.warnings.map((warning) => `warning: ${formatProblem(warning)}\n`).join(''));
  ports.stdout('configuration is valid\n');
  return { kind: 'exit', code: 0 };
}

function problemsText(problems: readonly Problem[], warnings: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [
    `sluice: cannot start: ${count} in the configuration:`,
    ...problems.map((problem) => `  ${formatProblem(problem)}`),
    ...warnings.map((warning) => `  warning: ${formatProblem(warning)}`),
    '',
  ].join('\n');
}
