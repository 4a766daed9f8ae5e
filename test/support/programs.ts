/** Finds the real programs that end-to-end tests and the bench use; `scripts/programs.ts` brings them. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type ProgramName =
  | 'carbon-c-relay'
  | 'collectd'
  | 'prometheus'
  | 'prometheus-node-exporter'
  | 'victoria-metrics'
  | 'vmagent';

/** Another directory than .cache/programs lets several checkouts share one copy. */
export const programsDirectory =
  process.env.SLUICE_PROGRAMS_DIR ?? join(import.meta.dirname, '../../.cache/programs');

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Its path: the fetched one, else one on PATH, else undefined. */
export function findProgram(name: ProgramName): string | undefined {
  const ours = ['usr/bin', 'usr/sbin'].map((directory) => join(programsDirectory, directory));
  const directories = [...ours, ...(process.env.PATH ?? '').split(delimiter)];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/**
 * For the `skip` option of a test: false if all programs are there, else why the test cannot run. With CI=true a
 * missing program is a failure, because a skipped end-to-end test looks like a passed one.
 */
export function missingPrograms(...names: readonly ProgramName[]): string | false {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return false;
  const text = `NOT RUN: ${missing.join(', ')} missing; run 'node scripts/programs.ts' (with the Node of node_modules/.bin)`;
  if (process.env.CI === 'true') throw new Error(text);
  return text;
}

/** The path of a program that `missingPrograms` found to be there. */
export function program(name: ProgramName): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`cannot find ${name}; run 'node scripts/programs.ts'`);
  return path;
}
