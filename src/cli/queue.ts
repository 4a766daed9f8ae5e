/** `sluice queue`: what waits for destinations. Looks at the files; what changes a queue goes through the running relay. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { blockLines } from '../destination/json-lines.ts';
import { decodeBlock } from '../destination/recode.ts';
import { describeFirst, messageOf as readMessage } from '../destination/split.ts';
import type { Codec } from '../model/block.ts';
import { addCounts, noCounts } from '../model/body.ts';
import type { RecordHeader } from '../queue/file/format.ts';
import { nodeFs } from '../queue/file/fs.ts';
import { type Finding, inspectLog, segmentNames } from '../queue/file/inspect.ts';
import { SegmentLog } from '../queue/file/log.ts';
import { ADMIN_SOCKET, AdminServer } from '../service/admin-server.ts';
import { systemClock } from '../util/clock.ts';
import { SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { callAdmin } from './admin-client.ts';
import type { CommandContext } from './command.ts';
import { needed, table, type Verb, verbCommand } from './data-directory.ts';

const PEEKED = 20;
const SEGMENT_BYTES = 64 * 1024 * 1024;

const socketOf = (directory: string) => path.join(directory, ADMIN_SOCKET);

/** The queue's directory. Throws when there is none. */
async function queueDirectory(directory: string, name: string): Promise<string> {
  const names = await nodeFs.list(path.join(directory, 'queue'));
  if (names.includes(name)) return path.join(directory, 'queue', name);
  throw new SluiceError(
    'no_queue',
    `there is no queue ${JSON.stringify(name)}, there are: ${names.join(', ') || 'none'}`,
  );
}

async function isRunning(directory: string): Promise<boolean> {
  try {
    await callAdmin(socketOf(directory), 'status');
    return true;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'not_running') return false;
    throw error;
  }
}

/** Does something that no relay may disturb. Throws a SluiceError when one is running. */
async function alone<T>(directory: string, act: () => Promise<T>): Promise<T> {
  const lock = new AdminServer(directory, systemClock);
  await lock.lock();
  try {
    return await act();
  } finally {
    await lock.close();
  }
}

const wire = ({ type, rawLength }: RecordHeader, bytes: Uint8Array) => ({
  codec: type as Codec,
  bytes,
  rawLength,
});

const ls: Verb = {
  usage: '',
  summary: 'List the queues, and what waits in them.',
  async run(directory, _args, { stdout }) {
    if (await isRunning(directory)) {
      const status = (await callAdmin(socketOf(directory), 'status')) as Status;
      const rows = status.destinations.map((at) => [
        at.name,
        at.state,
        at.pendingBlocks,
        at.pendingSamples,
        at.pendingBytes,
        `${at.oldestAgeSeconds} s`,
        at.deadLetters,
      ]);
      stdout(table([['QUEUE', 'STATE', 'BLOCKS', 'SAMPLES', 'BYTES', 'OLDEST', 'DEAD LETTERS'], ...rows]));
      for (const { name, bytes } of status.orphans)
        stdout(`${name}: belongs to no destination, ${bytes} bytes\n`);
      return 0;
    }
    const rows: (string | number)[][] = [['QUEUE', 'SEGMENTS', 'BYTES']];
    for (const name of (await nodeFs.list(path.join(directory, 'queue'))).sort()) {
      const at = path.join(directory, 'queue', name);
      const segments = segmentNames(await nodeFs.list(at));
      const sizes = await Promise.all(segments.map((file) => nodeFs.size(path.join(at, file))));
      rows.push([name, segments.length, sizes.reduce((sum, size) => sum + size, 0)]);
    }
    stdout(rows.length === 1 ? 'there are no queues\n' : table(rows));
    return 0;
  },
};

interface Status {
  readonly destinations: readonly {
    readonly name: string;
    readonly state: string;
    readonly pendingBlocks: number;
    readonly pendingSamples: number;
    readonly pendingBytes: number;
    readonly oldestAgeSeconds: number;
    readonly deadLetters: number;
  }[];
  readonly orphans: readonly { readonly name: string; readonly bytes: number }[];
}

const peek: Verb = {
  usage: 'QUEUE',
  summary: `Show the first ${PEEKED} blocks of its file.`,
  async run(directory, args, { stdout }) {
    const rows: (string | number)[][] = [['NUMBER', 'SINCE', 'SAMPLES', 'BYTES', 'CODEC', 'FIRST SERIES']];
    for await (const finding of inspectLog(
      nodeFs,
      await queueDirectory(directory, needed(args, 0, 'the queue')),
    )) {
      if (rows.length > PEEKED) break;
      if (finding.kind !== 'record') continue;
      const { header, payload } = finding;
      const series = describeFirst(await readMessage(wire(header, payload)));
      const since = new Date(header.bornAtMs).toISOString();
      rows.push([
        header.seq,
        since,
        header.counts.samples,
        header.payloadLength,
        header.type,
        series.slice(0, 80),
      ]);
    }
    stdout(rows.length === 1 ? 'its file is empty\n' : table(rows));
    return 0;
  },
};

const verify: Verb = {
  usage: 'QUEUE',
  summary: 'Read everything in its file and tell what is damaged; exit code 1 if anything is.',
  async run(directory, args, { stdout }) {
    const counts = { ...noCounts };
    let records = 0;
    const damage: Exclude<Finding, { kind: 'record' }>[] = [];
    for await (const finding of inspectLog(
      nodeFs,
      await queueDirectory(directory, needed(args, 0, 'the queue')),
    )) {
      if (finding.kind === 'record') {
        records++;
        addCounts(counts, finding.header.counts);
      } else damage.push(finding);
    }
    for (const finding of damage) {
      const what =
        finding.kind === 'damaged-record'
          ? `record ${finding.header.seq}, ${finding.header.counts.samples} samples`
          : `${finding.bytes} bytes that are no record`;
      stdout(`damaged: ${finding.file} at ${finding.offset}: ${what}\n`);
    }
    stdout(`${records} whole blocks with ${counts.samples} samples; ${damage.length} damaged places\n`);
    return damage.length === 0 ? 0 : 1;
  },
};

const repair: Verb = {
  usage: 'QUEUE',
  summary: 'Write what is whole anew and set the rest aside as *.bad; the relay must not run.',
  async run(directory, args, { stdout, stderr }) {
    const at = await queueDirectory(directory, needed(args, 0, 'the queue'));
    if (await isRunning(directory))
      throw new SluiceError('running', 'stop the relay first; it passes over damage by itself');
    return alone(directory, () => repairAt(at, printing(stderr), stdout));
  },
};

async function repairAt(directory: string, log: Logger, stdout: (text: string) => void): Promise<number> {
  const { log: old } = await SegmentLog.open(
    { directory, segmentBytes: SEGMENT_BYTES },
    { fs: nodeFs, clock: systemClock, log },
  );
  const end = old.nextSeq;
  let kept = 0;
  for (
    let record = await old.next();
    record !== undefined;
    record = old.readSeq < end ? await old.next() : undefined
  ) {
    const { payload, header } = record;
    if (payload !== undefined) {
      await old.append([{ header, payload: [payload] }]);
      kept++;
    }
    old.done(header.seq);
  }
  await old.close();
  stdout(
    `${kept} blocks are whole; ${old.damage.records} records were damaged, ${old.damage.bytes} bytes are set aside\n`,
  );
  return 0;
}

function printing(stderr: (text: string) => void): Logger {
  const print = (message: string, fields?: object) => stderr(`${message} ${JSON.stringify(fields ?? {})}\n`);
  const log: Logger = {
    debug: () => {},
    info: print,
    warn: print,
    error: print,
    limited: () => log,
    child: () => log,
  };
  return log;
}

const exportQueue: Verb = {
  usage: 'QUEUE',
  summary: 'Write the samples in its file as JSON lines (/api/v1/import takes them).',
  async run(directory, args, { stdout }) {
    for await (const finding of inspectLog(
      nodeFs,
      await queueDirectory(directory, needed(args, 0, 'the queue')),
    )) {
      if (finding.kind !== 'record') continue;
      for (const line of blockLines(await decodeBlock(wire(finding.header, finding.payload)))) stdout(line);
    }
    return 0;
  },
};

const purge: Verb = {
  usage: 'QUEUE',
  summary: 'Delete everything that waits in it.',
  async run(directory, args, { stdout }) {
    const name = needed(args, 0, 'the queue');
    const at = await queueDirectory(directory, name);
    if (await isRunning(directory)) {
      const { orphans } = (await callAdmin(socketOf(directory), 'status')) as Status;
      if (!orphans.some((orphan) => orphan.name === name)) {
        const { samples } = (await callAdmin(socketOf(directory), 'purge', { destination: name })) as {
          samples: number;
        };
        stdout(`${samples} samples are deleted, and counted as purged\n`);
        return 0;
      }
      await rm(at, { recursive: true });
    } else await alone(directory, () => rm(at, { recursive: true }));
    stdout(`the queue ${name} is deleted\n`);
    return 0;
  },
};

/** An action of the running relay on one destination. */
function action(
  name: string,
  usage: string,
  summary: string,
  say: (answer: Record<string, number>) => string,
): Verb {
  return {
    usage,
    summary,
    async run(directory, args, { stdout }: CommandContext) {
      const [first, second] = usage.split(' ');
      const input =
        second === undefined
          ? { destination: needed(args, 0, 'the queue') }
          : { from: needed(args, 0, first!), destination: needed(args, 1, second) };
      stdout(`${say((await callAdmin(socketOf(directory), name, input)) as Record<string, number>)}\n`);
      return 0;
    },
  };
}

export const queue = verbCommand(
  'queue',
  'Look at what waits for destinations, mend it, move it or delete it.',
  {
    ls,
    peek,
    verify,
    repair,
    export: exportQueue,
    purge,
    pause: action('pause', 'QUEUE', 'Stop sending; what comes meanwhile waits.', () => 'paused'),
    resume: action('resume', 'QUEUE', 'Go on sending.', () => 'resumed'),
    adopt: action(
      'adopt',
      'ORPHAN DESTINATION',
      'Send a queue without a destination to one.',
      ({ blocks, damaged }) =>
        `${blocks} blocks were taken over${damaged === 0 ? '' : `, ${damaged} were damaged`}`,
    ),
    copy: action(
      'copy',
      'FROM DESTINATION',
      'Send what waits in a queue to another destination too.',
      ({ blocks }) => `${blocks} blocks were copied`,
    ),
    move: action(
      'move',
      'FROM DESTINATION',
      'Send what waits in a queue to another destination instead.',
      ({ blocks }) => `${blocks} blocks were moved`,
    ),
  },
);
