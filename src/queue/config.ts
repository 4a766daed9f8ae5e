/** What the queue of one destination is to do, and what it works with. */
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Fs } from './file/fs.ts';

/** What happens to blocks when `diskBytesMax` is reached. */
export type WhenFull = 'drop-oldest' | 'drop-newest' | 'refuse';

export interface QueueConfig {
  readonly directory: string;
  /** Whether a file may be used before the stop. */
  readonly onDisk: boolean;
  /** Compressed bytes that may wait in memory before the file is used. */
  readonly memoryBytesMax: number;
  /** Compressed bytes that may wait in memory while the file cannot be written. */
  readonly brokenBytesMax: number;
  /** Compressed bytes that may wait altogether; 0 is no limit but the disk's. */
  readonly diskBytesMax: number;
  readonly whenFull: WhenFull;
  /** Blocks that have waited for longer are dropped and counted; 0 is never. */
  readonly ageMsMax: number;
  /** Whether new blocks may overtake a backlog. */
  readonly freshFirst: boolean;
  /** Whether what is written to the file must be on the disk before it counts as written. */
  readonly synced: boolean;
}

export interface QueuePorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}
