/** All options of the program, in the order of `-help`: one line for each component that has some. */
import { collect } from './config/collect.ts';
import { configOptions, destinationOptions } from './config/options.ts';
import { deliverOptions } from './deliver/options.ts';
import { destinations } from './destination/index.ts';
import { encodeOptions } from './encode/options.ts';
import { engineOptions } from './engine/options.ts';
import { ingestOptions } from './ingest/options.ts';
import { protocols } from './protocol/index.ts';
import { queueOptions } from './queue/options.ts';
import { routeOptions } from './route/options.ts';
import { telemetryOptions } from './telemetry/options.ts';
import { aggregationOptions } from './transform/aggregate/options.ts';
import { transformOptions } from './transform/options.ts';

export const schema = collect([
  { title: 'Configuration', options: configOptions },
  { title: 'Destinations', options: destinationOptions },
  { title: 'Delivery to destinations', options: deliverOptions },
  ...Object.values(destinations).map(({ name, options }) => ({
    title: `Destinations of kind ${name}`,
    options,
  })),
  { title: 'Relabeling and limits', options: transformOptions },
  { title: 'Stream aggregation', options: aggregationOptions },
  { title: 'Shards', options: routeOptions },
  { title: 'Blocks', options: encodeOptions },
  { title: 'Queues', options: queueOptions },
  { title: 'HTTP server', options: ingestOptions },
  { title: 'Engine', options: engineOptions },
  { title: 'Log, metrics and memory', options: telemetryOptions },
  ...Object.values(protocols).map(({ name, options }) => ({ title: `Protocol ${name}`, options })),
]);
