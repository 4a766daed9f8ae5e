/** From the configuration to the destinations on the main thread. */
import path from 'node:path';
import type { Config } from './config/config.ts';
import { ConnectionStats } from './deliver/connection-stats.ts';
import type { Counts } from './model/body.ts';
import type { schema } from './options.ts';
import { Outlet } from './outlet.ts';
import type { WhenFull } from './queue/config.ts';
import type { Fs } from './queue/file/fs.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/logger.ts';
import type { MemoryLimit } from './util/memory-limit.ts';
import type { Meter } from './util/meter.ts';

export interface OutletsPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Meter;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fs: Fs;
  /** A destination wants its blocks in another form. */
  readonly onNeeds: () => void;
  /** What waits for a destination in unfinished blocks. */
  readonly inEngine: (index: number) => Readonly<Counts>;
}

/** The part of the allowed memory that queues may fill when files cannot be used; the program and the rest share the other. */
const QUEUE_SHARE = 0.4;
/** What waits for a destination in memory before its file is used: seconds of a large installation. */
const QUEUE_MEMORY_BYTES_MAX = 32 * 1024 * 1024;

export function createOutlets(
  { values, destinations }: Config<typeof schema.table>,
  memory: MemoryLimit,
  { metrics, inEngine, ...ports }: OutletsPorts,
): Outlet[] {
  const stats = new ConnectionStats(metrics);
  const dataDirectory = values['remoteWrite.tmpDataPath'];
  const brokenBytesMax = Math.floor((memory.allowedBytes * QUEUE_SHARE) / destinations.length);
  const memoryBytesMax = Math.min(brokenBytesMax, QUEUE_MEMORY_BYTES_MAX);
  return destinations.map((destination, index) => {
    const { name, values: own } = destination;
    return new Outlet(
      destination,
      {
        queue: {
          directory: path.join(dataDirectory, 'queue', name),
          onDisk: !own['remoteWrite.disableOnDiskQueue'],
          memoryBytesMax,
          brokenBytesMax,
          diskBytesMax: own['remoteWrite.maxDiskUsagePerURL'],
          whenFull: own['remoteWrite.whenFull'] as WhenFull,
          ageMsMax: own['remoteWrite.maxQueueAge'],
          freshFirst: own['remoteWrite.inmemoryQueues'] > 0,
          synced: values['remoteWrite.ack'] === 'synced',
        },
        deadLetters: {
          directory: path.join(dataDirectory, 'dead-letters', name),
          bytesMax: own['remoteWrite.maxDeadLetterBytes'],
        },
        takesMetadata: values.enableMetadata && !own['remoteWrite.disableMetadata'],
        compressLevel: values['remoteWrite.vmProtoCompressLevel'],
      },
      { ...ports, meter: metrics, stats, inEngine: () => inEngine(index) },
    );
  });
}
