/** `npm run docs`: writes what is generated from the option tables. A test fails when a file is not current. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schema } from '../src/options.ts';
import { configSchema } from './docs/config-schema.ts';
import { flagsPage } from './docs/flags-page.ts';

const root = join(import.meta.dirname, '..');

/** The generated files: content by path from the root of the repository. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/flags.md', flagsPage(schema)],
    ['docs/config.schema.json', toJson(configSchema(schema))],
  ]);
}

const LINE_WIDTH = 110;

/** As the formatter wants it: lists of plain values on one line where they fit. */
function toJson(value: unknown): string {
  const expanded = `${JSON.stringify(value, null, 2)}\n`;
  return expanded.replaceAll(
    /^(.*)\[\n([^[\]{}]*)\n\s*\](,?)$/gm,
    (whole, before: string, items: string, after: string) => {
      const line = `${before}[${items.trim().replaceAll(/\n\s*/g, ' ')}]${after}`;
      return line.length <= LINE_WIDTH ? line : whole;
    },
  );
}

if (import.meta.main) {
  for (const [path, content] of generatedDocs()) writeFileSync(join(root, path), content);
}
