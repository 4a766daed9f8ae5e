/** A file system that counts what it does, under vmagent's names, for all queues and the journal together. */
import type { Clock } from '../../util/clock.ts';
import type { Counter, Meter } from '../../util/meter.ts';
import type { Fs, FsFile } from './fs.ts';

export function meteredFs(fs: Fs, meter: Meter, clock: Clock): Fs {
  const counter = (name: string, help: string) => meter.counter(`vm_filestream_${name}`, help);
  const timed = (calls: Counter, seconds: Counter) =>
    async function time<T>(act: () => Promise<T>): Promise<T> {
      const startMs = clock.monotonicMs();
      try {
        return await act();
      } finally {
        calls.inc();
        seconds.inc((clock.monotonicMs() - startMs) / 1000);
      }
    };
  const read = timed(
    counter('read_calls_total', 'Reads of queue files.'),
    counter('read_duration_seconds_total', 'Time spent reading queue files.'),
  );
  const write = timed(
    counter('write_calls_total', 'Writes of queue files.'),
    counter('write_duration_seconds_total', 'Time spent writing queue files.'),
  );
  const sync = timed(
    counter('fsync_calls_total', 'Syncs of queue files.'),
    counter('fsync_duration_seconds_total', 'Time spent syncing queue files.'),
  );
  const readBytes = counter('read_bytes_total', 'Bytes read from queue files.');
  const writtenBytes = counter('write_bytes_total', 'Bytes written to queue files.');

  const metered = (file: FsFile): FsFile => ({
    async write(chunks, position) {
      await write(() => file.write(chunks, position));
      for (const chunk of chunks) writtenBytes.inc(chunk.byteLength);
    },
    async read(target, position) {
      const bytes = await read(() => file.read(target, position));
      readBytes.inc(bytes);
      return bytes;
    },
    sync: () => sync(() => file.sync()),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  });
  return {
    ...fs,
    create: async (name) => metered(await fs.create(name)),
    open: async (name) => metered(await fs.open(name)),
  };
}
