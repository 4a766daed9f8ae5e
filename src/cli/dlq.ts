/** `sluice dlq`: what destinations refused for good. Reads the files themselves; sending again needs the running relay. */
import path from 'node:path';
import { blockLines } from '../destination/json-lines.ts';
import { decodeBlock } from '../destination/recode.ts';
import { type Letter, readLetters } from '../queue/dead-letters.ts';
import { nodeFs } from '../queue/file/fs.ts';
import { ADMIN_SOCKET } from '../service/admin-server.ts';
import { SluiceError } from '../util/error.ts';
import { callAdmin } from './admin-client.ts';
import type { CommandContext } from './command.ts';
import { needed, table, type Verb, verbCommand } from './data-directory.ts';

const folder = (directory: string) => path.join(directory, 'dead-letters');

async function* lettersOf(directory: string, only: string | undefined, { stderr }: CommandContext) {
  const onDamaged = (file: string, why: string) => stderr(`${file} cannot be read: ${why}\n`);
  for (const destination of (await nodeFs.list(folder(directory))).sort()) {
    if (only !== undefined && destination !== only) continue;
    yield* readLetters(nodeFs, path.join(folder(directory), destination), onDamaged);
  }
}

async function find(directory: string, id: string, context: CommandContext): Promise<Letter> {
  for await (const letter of lettersOf(directory, undefined, context)) if (letter.id === id) return letter;
  throw new SluiceError('no_letter', `there is no dead letter ${JSON.stringify(id)}; see sluice dlq ls`);
}

const ls: Verb = {
  usage: '[DESTINATION]',
  summary: 'List them.',
  async run(directory, [only], context) {
    const rows: (string | number)[][] = [
      ['ID', 'DESTINATION', 'STATUS', 'SAMPLES', 'FIRST SERIES', 'MESSAGE'],
    ];
    for await (const { id, info } of lettersOf(directory, only, context)) {
      const { destination, status, counts, series, message } = info;
      rows.push([
        id,
        destination,
        status,
        counts.samples,
        series.slice(0, 60),
        JSON.stringify(message.slice(0, 80)),
      ]);
    }
    context.stdout(rows.length === 1 ? 'there are no dead letters\n' : table(rows));
    return 0;
  },
};

const show: Verb = {
  usage: 'ID',
  summary: 'Show everything that is known of one.',
  async run(directory, args, context) {
    const { info } = await find(directory, needed(args, 0, 'the ID'), context);
    context.stdout(`${JSON.stringify(info, undefined, 2)}\n`);
    return 0;
  },
};

const exportLetters: Verb = {
  usage: '[DESTINATION]',
  summary: 'Write their samples as JSON lines (/api/v1/import takes them).',
  async run(directory, [only], context) {
    for await (const { info, block } of lettersOf(directory, only, context)) {
      const raw = await decodeBlock({ codec: info.codec, bytes: block, rawLength: info.rawLength });
      for (const line of blockLines(raw)) context.stdout(line);
    }
    return 0;
  },
};

const replay: Verb = {
  usage: 'DESTINATION [ID] [to=OTHER]',
  summary: 'Send them again, all or one, to their destination or to another one.',
  run: (directory, args, context) => act('replay', directory, args, context),
};

const purge: Verb = {
  usage: 'DESTINATION [ID]',
  summary: 'Delete them, all or one.',
  run: (directory, args, context) => act('forget', directory, args, context),
};

async function act(action: string, directory: string, args: readonly string[], { stdout }: CommandContext) {
  const destination = needed(args, 0, 'the destination');
  const to = args.find((arg) => arg.startsWith('to='))?.slice(3);
  const id = args.slice(1).find((arg) => !arg.startsWith('to='));
  const input = { destination, ...(to !== undefined && { to }), ...(id !== undefined && { id }) };
  const answer = (await callAdmin(path.join(directory, ADMIN_SOCKET), action, input)) as { letters: number };
  stdout(`${answer.letters} dead letters ${action === 'replay' ? 'go again' : 'are deleted'}\n`);
  return answer.letters === 0 ? 1 : 0;
}

export const dlq = verbCommand(
  'dlq',
  'Look at what destinations refused for good, send it again or delete it.',
  {
    ls,
    show,
    export: exportLetters,
    replay,
    purge,
  },
);
