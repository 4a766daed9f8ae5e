/** What can be wrong with a configuration. All problems are collected and told at once. */
export interface Problem {
  /** `config/x.yaml:12:5`, `flag -x` or `environment X`. */
  readonly where: string;
  /** What is wrong. Never holds a secret. */
  readonly message: string;
  /** How to mend it. */
  readonly hint: string;
}

/** One line: `where: message; hint`. */
export function formatProblem({ where, message, hint }: Problem): string {
  return `${where}: ${message}; ${hint}`;
}
