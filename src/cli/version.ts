import { readFileSync } from 'node:fs';

const packageFile = new URL('../../package.json', import.meta.url);

/** As in package.json. */
export const version = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;

/**
 * The `version` label of `vm_app_version`: vmagent's dashboard lists only jobs whose label begins with `vmagent-`.
 * https://github.com/VictoriaMetrics/VictoriaMetrics/blob/master/dashboards/vmagent.json
 */
export const versionLabel = `vmagent-sluice-${version}`;

export function versionText(): string {
  return `sluice ${version} (${versionLabel}, node ${process.version}, ${process.platform}-${process.arch})`;
}
