/**
 * A package that most set-ups never need, loaded by the first call: each takes a megabyte of every thread. It takes some
 * milliseconds then, once.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function lazyModule<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => {
    loaded ??= require(name) as T;
    return loaded;
  };
}
