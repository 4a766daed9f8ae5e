/**
 * `endpoints.json` in the data directory: the endpoints of a service as they were known last, so that a start without DNS
 * finds them, and what waits in the queues of those that are gone is not forgotten.
 */
import path from 'node:path';
import type { Fs } from './queue/file/fs.ts';
import { distinctEndpoints, type Endpoint } from './route/endpoint.ts';
import { messageOf } from './util/error.ts';
import type { Logger } from './util/logger.ts';

const FILE = 'endpoints.json';
/** Far more than any service has; what is larger was not written by us. */
const FILE_BYTES_MAX = 1024 * 1024;
const NOTHING: KnownEndpoints = { current: [], leaving: [] };

export interface KnownEndpoints {
  readonly current: readonly Endpoint[];
  /** Gone, with something in their queues. */
  readonly leaving: readonly Endpoint[];
}

/** Nothing when there is no file; one that cannot be read is told, and counts as none. */
export async function readKnownEndpoints(
  fs: Fs,
  directory: string,
  log: Pick<Logger, 'warn'>,
): Promise<KnownEndpoints> {
  const file = path.join(directory, FILE);
  try {
    if (!(await fs.list(directory)).includes(FILE)) return NOTHING;
    const opened = await fs.open(file);
    try {
      const bytes = Buffer.alloc(Math.min(await fs.size(file), FILE_BYTES_MAX));
      const { current, leaving } = JSON.parse(bytes.toString('utf8', 0, await opened.read(bytes, 0)));
      return { current: endpointsOf(current), leaving: endpointsOf(leaving) };
    } finally {
      await opened.close();
    }
  } catch (error) {
    const message = 'cannot read the list of the last endpoints; the start goes by DNS alone';
    log.warn(message, { file, error: messageOf(error) });
    return NOTHING;
  }
}

function endpointsOf(list: unknown): Endpoint[] {
  const isEndpoint = (item: unknown): item is Endpoint => {
    const { host, port } = (item ?? {}) as Partial<Endpoint>;
    return typeof host === 'string' && /^[\w.:-]+$/.test(host) && Number.isInteger(port);
  };
  return Array.isArray(list) ? distinctEndpoints(list.filter(isEndpoint)) : [];
}

/** Resolves when it is on the disk, whole. A failure is told: then the next start knows the list before. */
export async function writeKnownEndpoints(
  fs: Fs,
  directory: string,
  known: KnownEndpoints,
  log: Logger,
): Promise<void> {
  const file = path.join(directory, FILE);
  try {
    if ((await fs.list(directory)).includes(`${FILE}.tmp`)) await fs.unlink(`${file}.tmp`);
    const created = await fs.create(`${file}.tmp`);
    try {
      await created.write([Buffer.from(`${JSON.stringify(known)}\n`)], 0);
      await created.sync();
    } finally {
      await created.close();
    }
    await fs.rename(`${file}.tmp`, file);
    await fs.syncDirectory(directory);
  } catch (error) {
    const message = 'cannot write the list of endpoints; the next start knows the one before';
    log.error(message, { file, error: messageOf(error) });
  }
}
