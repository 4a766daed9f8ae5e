import type * as Yaml from 'yaml';
import { lazyModule } from './lazy-module.ts';

/** The package `yaml`, for those who read a configuration or rules, or write rules down. */
export const yaml = lazyModule<typeof Yaml>('yaml');
