/** The registry of relabel actions: one line each, under the name that rules give. */
import type { Action } from '../action.ts';
import { lowercase, uppercase } from './case.ts';
import { dropIfContains, keepIfContains } from './contains.ts';
import { dropequal, dropIfEqual, keepequal, keepIfEqual } from './equal.ts';
import { graphite } from './graphite.ts';
import { hashmod } from './hashmod.ts';
import { drop, dropMetrics, keep, keepMetrics } from './keep-drop.ts';
import { labeldrop, labelkeep } from './labeldrop.ts';
import { labelmap } from './labelmap.ts';
import { labelmapAll } from './labelmap-all.ts';
import { replace } from './replace.ts';
import { replaceAll } from './replace-all.ts';

export const actions: ReadonlyMap<string, Action> = new Map([
  ['replace', replace],
  ['replace_all', replaceAll],
  ['keep', keep],
  ['drop', drop],
  ['keep_metrics', keepMetrics],
  ['drop_metrics', dropMetrics],
  ['keepequal', keepequal],
  ['dropequal', dropequal],
  ['keep_if_equal', keepIfEqual],
  ['drop_if_equal', dropIfEqual],
  ['keep_if_contains', keepIfContains],
  ['drop_if_contains', dropIfContains],
  ['hashmod', hashmod],
  ['labelmap', labelmap],
  ['labelmap_all', labelmapAll],
  ['labeldrop', labeldrop],
  ['labelkeep', labelkeep],
  ['lowercase', lowercase],
  ['uppercase', uppercase],
  ['graphite', graphite],
]);
