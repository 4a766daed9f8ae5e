/**
 * Nanoseconds of CPU per sample of the whole engine (no sockets, no queue), by scenario, on the bodies of the end-to-end
 * bench: the best round, and the mean of all but the first. `node bench/kernels/engine.ts [--only NAME] [--rounds 6]`; with
 * `--cpu-prof` of node it shows where they go. Where time matters, as many samples a second come as `--rate` says: 80 rounds of
 * 100,000 series at 1.5 million are a window of five seconds. `--save` also takes the state after each round.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { OptionSpec } from '../../src/config/option.ts';
import type { StageConfig } from '../../src/engine/aggregation-stage.ts';
import type { GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { FormConfig, ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import type { BodyEncoding } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { parseAggregationRules } from '../../src/transform/aggregate/rule.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { createStateMemory } from '../../src/transform/state/bytes.ts';
import { bodyFormats, type FormatName } from '../load/formats.ts';
import { ruleFile } from '../rules/index.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '6' },
    series: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '1500000' },
    save: { type: 'boolean', default: false },
  },
});

const rulesOf = (name: string) => parseRules(readFileSync(ruleFile(name), 'utf8'), name).rules;
const formOf = (rules: FormConfig['rules']): FormConfig => ({
  rules,
  labels: [],
  rounding: { significantFigures: 0, roundDigits: 100 },
});
const shapeOf = (own: Partial<ShapeConfig>): ShapeConfig => ({
  rules: [],
  promNaming: false,
  sortLabels: false,
  labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
  maxHourlySeries: 0,
  maxDailySeries: 0,
  forms: [formOf([])],
  ...own,
});
const groupOf = (own: Partial<GroupConfig>): GroupConfig => ({
  codec: 'snappy',
  level: 0,
  metadata: true,
  parallel: 1,
  ...own,
});
const stageOf = (own: Partial<StageConfig>): StageConfig => ({
  scope: 'global',
  rules: [],
  keepInput: false,
  dropInput: false,
  dedupIntervalMs: 0,
  dropInputLabels: [],
  enableWindows: false,
  ...own,
});
const aggregationOf = (name: string) =>
  stageOf({ rules: parseAggregationRules(readFileSync(ruleFile(name), 'utf8'), name).rules });
const four = [0, 1, 2, 3];

interface Scenario {
  readonly groups: GroupConfig[];
  readonly shape: ShapeConfig | undefined;
  readonly isNew?: boolean;
  /** Remote write if absent. */
  readonly format?: FormatName;
}
const text = (format: FormatName): Scenario => ({ groups: [groupOf({})], shape: undefined, format });

const scenarios: Record<string, Scenario> = {
  'pass through': { groups: [groupOf({})], shape: undefined },
  'shard over four': {
    groups: four.map((shard) => groupOf({ shard })),
    shape: shapeOf({
      placement: {
        mode: 'rendezvous',
        destinations: four.map((index) => ({ name: `d${index}`, url: `http://127.0.0.1:${index}/` })),
        replicas: 1,
        virtualNodes: 150,
        labels: [],
        ignoreLabels: [],
      },
    }),
  },
  'rules of two URLs': {
    groups: [groupOf({ form: 0 }), groupOf({ form: 1 })],
    shape: shapeOf({ forms: [formOf(rulesOf('first')), formOf(rulesOf('second'))] }),
  },
  '12 rules': { groups: [groupOf({})], shape: shapeOf({ rules: rulesOf('typical') }) },
  aggregate: { groups: [groupOf({})], shape: shapeOf({ stage: aggregationOf('aggregation') }) },
  'aggregate total': { groups: [groupOf({})], shape: shapeOf({ stage: aggregationOf('total') }) },
  deduplicate: { groups: [groupOf({})], shape: shapeOf({ stage: stageOf({ dedupIntervalMs: 10_000 }) }) },
  '12 rules, every series new': {
    groups: [groupOf({})],
    shape: shapeOf({ rules: rulesOf('typical') }),
    isNew: true,
  },
  'Influx lines': text('influx'),
  'Influx lines, gzip': text('influx-gzip'),
  'JSON lines': text('json-lines'),
  'Prometheus text': text('prometheus-text'),
};

const protocolOptions = Object.fromEntries(
  Object.values<Protocol>(protocols).flatMap(({ options }) =>
    Object.entries<OptionSpec>(options).map(([name, spec]) => [name, spec.default]),
  ),
);

const series = Number(flags.series);
const rounds = Number(flags.rounds);
const SERIES_PER_REQUEST = 2000;
const START_MS = 1_790_000_000_000;
const module = compileKernel();
for (const [name, { groups, shape, isNew = false, format = 'remote-write' }] of Object.entries(scenarios)) {
  if (flags.only !== undefined && flags.only !== name) continue;
  const { protocol, encoding } = namesOf(format);
  const bodies = bodyFormats[format]
    .make({ series: isNew ? series * rounds : series, seriesPerRequest: SERIES_PER_REQUEST, scrapes: 1 })
    .map(({ body, samples }) => {
      // Where the engine finds them.
      const shared = new Uint8Array(new SharedArrayBuffer(body.byteLength));
      shared.set(body);
      return { body: shared, samples };
    });
  const pipeline = new Pipeline(
    new Kernel(module),
    {
      groups,
      shape,
      maxRowsPerBlock: 10_000,
      maxBlockBytes: 8 * 1024 * 1024,
      maxMetadataPerBlock: 5_000,
      flushIntervalMs: 1_000,
      bodyBytesMax: 32 * 1024 * 1024,
      protocolOptions,
    },
    { nowMs: START_MS },
  );
  let best = Number.POSITIVE_INFINITY;
  let sum = 0;
  let saved = 0;
  let stateBytes = 0;
  let bytes = 0;
  let taken = 0;
  let id = 0;
  const memory = createStateMemory();
  for (let round = 0; round < rounds; round++) {
    const first = isNew ? (round * series) / SERIES_PER_REQUEST : 0;
    const own = bodies.slice(first, first + series / SERIES_PER_REQUEST);
    const from = process.cpuUsage();
    let samples = 0;
    for (const { body, samples: more } of own) {
      id++;
      const place = { slab: 0, offset: 0, length: body.byteLength };
      const arrivedMs = START_MS + Math.floor((id * SERIES_PER_REQUEST * 1000) / Number(flags.rate));
      const arrival = { parameters: {}, receivedMs: arrivedMs };
      const ref = { id, ...place, encoding, protocol, extraLabels: [], arrivedMs, arrival };
      pipeline.accept(ref, body, id);
      for (const block of pipeline.takeBlocks()) bytes += block.length;
      samples += more;
    }
    const ns = nsSince(from) / samples;
    taken += samples;
    best = Math.min(best, ns);
    if (round > 0) sum += ns;
    if (!flags.save) continue;
    const before = process.cpuUsage();
    stateBytes = pipeline.save(memory)?.bytes.length ?? 0;
    saved += nsSince(before) / 1e6;
  }
  console.log(
    name.padEnd(30),
    best.toFixed(0).padStart(6),
    `ns a sample, ${(sum / (rounds - 1)).toFixed(0)} in the mean, ${(bytes / taken).toFixed(1)} bytes out`,
    flags.save ? `, ${(saved / rounds).toFixed(1)} ms a state of ${stateBytes} bytes` : '',
  );
}

function nsSince(from: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(from);
  return (user + system) * 1000;
}

function namesOf(format: FormatName): { protocol: string; encoding: BodyEncoding } {
  if (format === 'remote-write') return { protocol: 'promremotewrite', encoding: 'snappy' };
  const { path } = bodyFormats[format];
  const found = Object.values<Protocol>(protocols).find(({ routes }) =>
    routes.some((route) => route.path === path),
  );
  return { protocol: found!.name, encoding: format === 'influx-gzip' ? 'gzip' : 'plain' };
}
