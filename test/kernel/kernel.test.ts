import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import xxhash from 'xxhash-wasm';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';

const kernel = new Kernel(compileKernel());
const input = kernel.memory.alloc(1 << 16);

function xxh64(bytes: Uint8Array): bigint {
  kernel.memory.bytes().set(bytes, input);
  return kernel.xxh64(input, bytes.length);
}

test('kernels that were not built are an error that says how to build them', () => {
  assert.throws(() => compileKernel(pathToFileURL('/nonexistent/kernel.wasm')), {
    code: 'KERNEL_MISSING',
    message: /cannot load the kernels at \/nonexistent\/kernel\.wasm: .*npm run build:kernel/,
  });
});

test('the kernels need nothing from outside and start small', () => {
  const module = compileKernel();
  assert.ok(new Kernel(module).memory.bytes().byteLength <= 8 * 65536);
});

// From the specification's reference implementation.
for (const [text, expected] of [
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
  ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
] as const) {
  test(`xxh64 of "${text}"`, () => {
    assert.equal(xxh64(Buffer.from(text)), expected);
  });
}

test('xxh64 is that of xxhash-wasm', async () => {
  const { h64Raw } = await xxhash();
  for (let length = 0; length < 130; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 7 + length);
    assert.equal(xxh64(bytes), h64Raw(bytes), `${length} bytes`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      assert.equal(xxh64(bytes), h64Raw(bytes));
    }),
  );
});
