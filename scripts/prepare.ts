/**
 * Runs at the end of `npm ci`: builds the byte kernels, and keeps the sources without their types. Without dev dependencies
 * (`--omit=dev`) there is no compiler, and kernels that were built before serve.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { warmUp } from './warm-up.ts';

const root = join(import.meta.dirname, '..');
const kernel = join(root, 'src/kernel/kernel.wasm');
const config = join(root, 'src/kernel/assembly/asconfig.json');

/** The compiler's command-line program, or undefined when it is not installed. */
function findCompiler(): string | undefined {
  try {
    const main = createRequire(join(root, 'package.json')).resolve('assemblyscript/package.json');
    return join(main, '../bin/asc.js');
  } catch {
    return undefined;
  }
}

const compiler = findCompiler();
if (compiler !== undefined) {
  const { status } = spawnSync(process.execPath, [compiler, '--config', config, '--target', 'release'], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} else if (existsSync(kernel)) {
  console.log(
    'kernels: assemblyscript is not installed (--omit=dev), src/kernel/kernel.wasm is used as it is',
  );
} else {
  console.error(
    'kernels: cannot build src/kernel/kernel.wasm: assemblyscript is not installed (--omit=dev); ' +
      'run `npm ci` with dev dependencies once, or bring a built kernel.wasm',
  );
  process.exitCode = 1;
}

if (process.exitCode !== 1 && (await warmUp()) !== 0) {
  console.warn('the first start could not be tried (see above); it will take more memory than later ones');
}
