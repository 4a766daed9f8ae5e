/** Options → app → signal → drain. */
import { App } from './app.ts';
import { checksOf } from './checks.ts';
import { prepareStart } from './cli/start.ts';
import { versionLabel } from './cli/version.ts';
import { schema } from './options.ts';
import { openLog } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { systemClock } from './util/clock.ts';
import { SluiceError } from './util/error.ts';
import { tidyHeap } from './util/tidy-heap.ts';

async function main(): Promise<void> {
  const start = await prepareStart(process.argv.slice(2), schema, checksOf(process.env), {
    env: process.env,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
  });
  if (start.kind === 'exit') {
    process.exitCode = start.code;
    return;
  }
  const { values } = start.config;
  const metrics = new Metrics({ exposeMetadata: values['metrics.exposeMetadata'] });
  const log = await openLog(values, { clock: systemClock, meter: metrics, versionLabel });
  const app = new App(start.config, { clock: systemClock, log, metrics, env: process.env });
  tidyHeap(systemClock);
  const started = app.start();

  let isStopping = false;
  const stop = async (reason: string, code: number) => {
    if (isStopping) return app.hurry();
    isStopping = true;
    log.info('stopping', { reason });
    // Should nothing be left to wait for before the end, that is no success.
    process.exitCode = 1;
    await started;
    process.exit((await app.stop()) ? code : 1);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal, 0));
  process.on('SIGHUP', () => void started.then(() => app.reload('SIGHUP')));
  // Our mistake, and nobody knows what state it left: but what waits for destinations is still there to be saved.
  process.on('uncaughtException', (error) => {
    log.error('BUG: an error that nobody expected; the relay stops, please report it', {
      stack: error.stack,
    });
    void stop('an unexpected error', 1);
  });
  await started;
}

try {
  await main();
} catch (error) {
  // What the operator can mend is told in a sentence; the rest is our mistake and needs its stack.
  const text = error instanceof SluiceError ? error.message : error instanceof Error ? error.stack : error;
  process.stderr.write(`sluice: cannot start: ${text}\n`);
  process.exit(1);
}
