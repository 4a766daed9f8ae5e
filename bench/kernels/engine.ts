/**
 * Nanoseconds of CPU per sample of the whole engine (no sockets, no queue), by scenario, on the bodies of the end-to-end
 * bench. `node bench/kernels/engine.ts [--only NAME] [--rounds 6]`; with `--cpu-prof` of node it shows where they go.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { OptionSpec } from '../../src/config/option.ts';
import type { GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { FormConfig, ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import type { BodyEncoding } from '../../src/model/body.ts';
import { protocols } from '../../src/protocol/index.ts';
import type { Protocol } from '../../src/protocol/protocol.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { bodyFormats, type FormatName } from '../load/formats.ts';
import { ruleFile } from '../rules/index.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '6' },
    series: { type: 'string', default: '100000' },
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
const four = [0, 1, 2, 3];
const text = (format: FormatName): Scenario => ({ groups: [groupOf({})], shape: undefined, format });

interface Scenario {
  readonly groups: GroupConfig[];
  readonly shape: ShapeConfig | undefined;
  readonly isNew?: boolean;
  /** Remote write if absent. */
  readonly format?: FormatName;
}

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
const module = compileKernel();
for (const [name, scenario] of Object.entries(scenarios)) {
  if (flags.only !== undefined && flags.only !== name) continue;
  const { groups, shape, isNew = false, format = 'remote-write' } = scenario;
  const { protocol, encoding } = namesOf(format);
  const bodies = bodyFormats[format]
    .make({ series: isNew ? series * rounds : series, seriesPerRequest: 2000, scrapes: 1 })
    .map(({ body, samples }) => {
      // Where the engine finds them.
      const shared = new Uint8Array(new SharedArrayBuffer(body.byteLength));
      shared.set(body);
      return { body: shared, samples };
    });
  const pipeline = new Pipeline(new Kernel(module), {
    groups,
    shape,
    maxRowsPerBlock: 10_000,
    maxBlockBytes: 8 * 1024 * 1024,
    maxMetadataPerBlock: 5_000,
    flushIntervalMs: 1_000,
    bodyBytesMax: 32 * 1024 * 1024,
    protocolOptions,
  });
  let best = Number.POSITIVE_INFINITY;
  let bytes = 0;
  let taken = 0;
  let id = 0;
  for (let round = 0; round < rounds; round++) {
    const own = isNew ? bodies.slice((round * series) / 2000, ((round + 1) * series) / 2000) : bodies;
    const from = process.cpuUsage();
    let samples = 0;
    for (const { body, samples: more } of own) {
      id++;
      const arrival = { parameters: {}, receivedMs: 1_790_000_000_000 };
      const place = { slab: 0, offset: 0, length: body.byteLength };
      pipeline.accept({ id, ...place, encoding, protocol, extraLabels: [], arrival }, body, id);
      for (const block of pipeline.takeBlocks()) bytes += block.length;
      samples += more;
    }
    const { user, system } = process.cpuUsage(from);
    best = Math.min(best, ((user + system) * 1000) / samples);
    taken += samples;
  }
  console.log(
    name.padEnd(30),
    best.toFixed(0).padStart(6),
    `ns a sample, ${(bytes / taken).toFixed(1)} bytes out`,
  );
}

function namesOf(format: FormatName): { protocol: string; encoding: BodyEncoding } {
  if (format === 'remote-write') return { protocol: 'promremotewrite', encoding: 'snappy' };
  const { path } = bodyFormats[format];
  const found = Object.values<Protocol>(protocols).find(({ routes }) =>
    routes.some((route) => route.path === path),
  );
  return { protocol: found!.name, encoding: format === 'influx-gzip' ? 'gzip' : 'plain' };
}
