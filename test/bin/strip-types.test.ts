/** In a folder like the checkout, with one source: what runs, and what is kept of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';

const root = path.join(import.meta.dirname, '../..');

function checkout(t: TestContext) {
  const home = mkdtempSync(path.join(tmpdir(), 'sluice strip-types é#%20-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(path.join(home, 'src/inner'), { recursive: true });
  writeFileSync(path.join(home, 'package.json'), '{"type":"module"}');
  cpSync(path.join(root, 'bin/strip-types.js'), path.join(home, 'bin/strip-types.js'));
  const write = (name: string, text: string) => writeFileSync(path.join(home, 'src', name), text);
  write('inner/part.ts', "export const part: string = 'part';\n");
  return {
    kept: path.join(home, '.cache/stripped/src'),
    write,
    run(): string {
      const flags = ['--disable-warning=ExperimentalWarning', '--require'];
      const files = ['bin/strip-types.js', 'src/main.ts'].map((name) => path.join(home, name));
      return execFileSync(process.execPath, [...flags, ...files], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
      });
    },
  };
}

const main = (text: string) => `import { part } from './inner/part.ts';
type Text = string;
const text: Text = '${text}';
process.stdout.write(\`\${text} \${part} \${new Error().stack?.split('\\n')[1]?.match(/\\d+:\\d+/)}\`);
`;

test('a source runs without its types, and what was stripped is kept', (t) => {
  const { kept, write, run } = checkout(t);
  write('main.ts', main('one'));
  assert.equal(run(), 'one part 4:41', 'lines and columns are those of the source');
  assert.deepEqual(readdirSync(kept, { recursive: true, encoding: 'utf8' }).sort(), [
    'inner',
    path.join('inner', 'part.ts.js'),
    'main.ts.js',
  ]);
  const text = readFileSync(path.join(kept, 'main.ts.js'), 'utf8');
  assert.ok(text.startsWith(stripTypeScriptTypes(main('one'))));
  assert.equal(run(), 'one part 4:41');
});

test('characters beyond Latin-1 mean the same, and take no more room than others', (t) => {
  const { kept, write, run } = checkout(t);
  write(
    'main.ts',
    `// a ─▶ b
const arrow: '─▶' | '💥' | 'é' = '─▶'; /* 💥 */
const shown = \`\${arrow} 💥 é \${/^[─▶]+$/.test(arrow)} \${/^.$/u.test('💥')} \${'💥'.length}\`;
process.stdout.write(shown);
`,
  );
  assert.equal(run(), '─▶ 💥 é true true 2');
  assert.equal(run(), '─▶ 💥 é true true 2', 'as kept');
  assert.match(readFileSync(path.join(kept, 'main.ts.js'), 'utf8'), /^[\0-\xff]*$/);
});

test('what is kept is what runs, as long as the source is the same', (t) => {
  const { kept, write, run } = checkout(t);
  write('main.ts', main('one'));
  run();
  const file = path.join(kept, 'main.ts.js');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace("'one'", "'two'"));
  assert.equal(run(), 'two part 4:41');
  write('main.ts', main('three'));
  assert.equal(run(), 'three part 4:41');
  assert.equal(run(), 'three part 4:41');
});

test('what was not kept to its end is stripped again', (t) => {
  const { kept, write, run } = checkout(t);
  write('main.ts', main('one'));
  run();
  const file = path.join(kept, 'main.ts.js');
  const text = readFileSync(file, 'utf8');
  for (const part of ['', text.slice(0, -1), `${text}x`]) {
    writeFileSync(file, part);
    assert.equal(run(), 'one part 4:41');
    assert.equal(readFileSync(file, 'utf8'), text);
  }
});

test('where nothing can be kept, the source runs all the same', (t) => {
  const { kept, write, run } = checkout(t);
  write('main.ts', main('one'));
  mkdirSync(path.dirname(path.dirname(kept)), { recursive: true });
  writeFileSync(path.dirname(kept), 'not a folder');
  chmodSync(path.dirname(kept), 0o400);
  assert.equal(run(), 'one part 4:41');
});

test('a source with a mistake is named', (t) => {
  const { write, run } = checkout(t);
  write('main.ts', main('one'));
  write('inner/part.ts', 'export const part: = 1;\n');
  assert.throws(run, /src\/inner\/part\.ts:1/);
});
