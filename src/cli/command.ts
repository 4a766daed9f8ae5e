import type { Schema } from '../config/collect.ts';

/** What a command, and everything else that only prints, gets to work with. */
export interface CliPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
  stdout(text: string): void;
  stderr(text: string): void;
}

export interface CommandContext extends CliPorts {
  readonly schema: Schema;
  /** What follows the command's name. */
  readonly args: readonly string[];
}

/** `sluice NAME …`: does one thing and ends. */
export interface Command {
  /** One line for `-help`. */
  readonly summary: string;
  /** The exit code. */
  run(context: CommandContext): Promise<number>;
}
