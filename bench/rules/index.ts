/** Rule files of the scenarios. */
import { fileURLToPath } from 'node:url';

export const ruleFile = (name: string): string => fileURLToPath(new URL(`./${name}.yaml`, import.meta.url));
