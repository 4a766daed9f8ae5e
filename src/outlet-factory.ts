/** From the configuration to outlets: where their files are, and what they share. */
import path from 'node:path';
import type { Config } from './config/config.ts';
import { ConnectionStats } from './deliver/connection-stats.ts';
import type { schema } from './options.ts';
import { Outlet, type OutletPorts } from './outlet.ts';
import type { WhenFull } from './queue/config.ts';

type AppConfig = Config<typeof schema.table>;

/** The part of the allowed memory that queues may fill when files cannot be used; the program and the rest share the other. */
const QUEUE_SHARE = 0.4;
/** What waits for a destination in memory before its file is used: seconds of a large installation. */
const QUEUE_MEMORY_BYTES_MAX = 32 * 1024 * 1024;

export interface OutletFactoryPorts extends Omit<OutletPorts, 'stats'> {
  /** Bytes that the program may take. */
  readonly memoryBytes: number;
  /** How many outlets there are; it changes. */
  readonly count: () => number;
}

export class OutletFactory {
  readonly #config: AppConfig;
  readonly #ports: OutletFactoryPorts;
  readonly #stats: ConnectionStats;

  constructor(config: AppConfig, ports: OutletFactoryPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#stats = new ConnectionStats(ports.meter);
  }

  /** Nothing is opened yet. */
  create(destination: AppConfig['destinations'][number]): Outlet {
    const { name, values: own } = destination;
    const { values } = this.#config;
    const share = () => this.#memoryShare;
    return new Outlet(
      destination,
      {
        queue: {
          get brokenBytesMax() {
            return share();
          },
          get memoryBytesMax() {
            return Math.min(share(), QUEUE_MEMORY_BYTES_MAX);
          },
          directory: this.directoryOf(name),
          onDisk: !own['remoteWrite.disableOnDiskQueue'],
          diskBytesMax: own['remoteWrite.maxDiskUsagePerURL'],
          whenFull: own['remoteWrite.whenFull'] as WhenFull,
          ageMsMax: own['remoteWrite.maxQueueAge'],
          freshFirst: own['remoteWrite.inmemoryQueues'] > 0,
          synced: values['remoteWrite.ack'] === 'synced',
        },
        deadLetters: {
          directory: path.join(values['remoteWrite.tmpDataPath'], 'dead-letters', name),
          bytesMax: own['remoteWrite.maxDeadLetterBytes'],
        },
        withholds: [
          ...(values.enableMetadata && !own['remoteWrite.disableMetadata'] ? [] : (['metadata'] as const)),
          ...(own['remoteWrite.disableNativeHistograms'] ? (['histograms'] as const) : []),
          ...(own['remoteWrite.disableExemplars'] ? (['exemplars'] as const) : []),
        ],
        compressLevel: values['remoteWrite.vmProtoCompressLevel'],
      },
      { ...this.#ports, stats: this.#stats },
    );
  }

  directoryOf(name: string): string {
    return path.join(this.#config.values['remoteWrite.tmpDataPath'], 'queue', name);
  }

  /** What each may take of the memory, as many as there are at the moment. */
  get #memoryShare(): number {
    const { memoryBytes, count } = this.#ports;
    return Math.floor((memoryBytes * QUEUE_SHARE) / Math.max(1, count()));
  }
}
