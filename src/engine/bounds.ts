/** What the configuration allows the engine: the memory for what is known of series, and the size of blocks. */
import type { BlockLimits } from '../encode/lane.ts';
import { type SeriesTableOptions, tableWithin } from '../series/table.ts';
import type { EngineConfig } from './messages.ts';

/** Of the memory for series; the rest is for stencils. */
const TABLE_SHARE = 0.7;

type Bounds = Pick<EngineConfig, 'seriesBytesMax'>;

export function tableOptionsOf({ seriesBytesMax = Number.POSITIVE_INFINITY }: Bounds): SeriesTableOptions {
  return tableWithin(seriesBytesMax * TABLE_SHARE);
}

export function blockLimitsOf(config: EngineConfig): BlockLimits {
  const { seriesBytesMax = Number.POSITIVE_INFINITY, groups } = config;
  return {
    rowsMax: config.maxRowsPerBlock,
    rawBytesMax: config.maxBlockBytes,
    metadataMax: config.maxMetadataPerBlock,
    stencilBytesMax: (seriesBytesMax * (1 - TABLE_SHARE)) / groups.length,
  };
}
