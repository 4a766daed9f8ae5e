/** What the configuration allows the engine: the memory for what is known of series, and the size of blocks. */
import type { BlockLimits } from '../encode/lane.ts';
import { type SeriesTableOptions, tableWithin } from '../series/table.ts';
import { lookedAt } from './looked.ts';
import type { EngineConfig } from './messages.ts';

/** Of the memory for series; the rest is for stencils. */
const TABLE_SHARE = 2 / 3;
/**
 * What serves 100,000 series in one group. One that is not known costs some 0.3 µs a sample more and no memory, so a relay that has a
 * million takes 0.1 GB less.
 */
const SPARING_BYTES = 18 * 1024 * 1024;

type Bounds = Pick<EngineConfig, 'seriesBytesMax' | 'sparesSeriesMemory' | 'shape'>;

/**
 * Whether series that are not known are written without being looked at one by one. Placed by nearly all of its labels, nearly every
 * series has an outline of its own.
 */
export function areStrangersCheap({ shape }: Pick<EngineConfig, 'shape'>): boolean {
  if (shape === undefined) return true;
  const { labels, ignoreLabels } = shape.placement ?? { labels: [], ignoreLabels: [] };
  return lookedAt(shape) !== undefined && (labels.length > 0 || ignoreLabels.length === 0);
}

function isSparing(config: Bounds): boolean {
  return config.sparesSeriesMemory === true && areStrangersCheap(config);
}

export function tableOptionsOf(config: Bounds): SeriesTableOptions {
  const { seriesBytesMax = Number.POSITIVE_INFINITY } = config;
  const bytes = isSparing(config) ? Math.min(SPARING_BYTES, seriesBytesMax) : seriesBytesMax;
  return tableWithin(bytes * TABLE_SHARE);
}

export function blockLimitsOf(config: EngineConfig): BlockLimits {
  const { seriesBytesMax = Number.POSITIVE_INFINITY, groups } = config;
  const most = isSparing(config) ? SPARING_BYTES : Number.POSITIVE_INFINITY;
  return {
    rowsMax: config.maxRowsPerBlock,
    rawBytesMax: config.maxBlockBytes,
    metadataMax: config.maxMetadataPerBlock,
    stencilBytesMax: Math.min(most, seriesBytesMax / groups.length) * (1 - TABLE_SHARE),
  };
}
