/**
 * The administrator's door: HTTP on a socket in the data directory, for its owner only. It is the data directory's lock as
 * well: two relays on one directory would tear its queues apart, and a socket dies with its process, whatever the process
 * dies of, and is seen from other containers that share the volume.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, rename, stat, unlink } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { type Clock, sleep } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { createServer } from '../util/http.ts';
import { AdminAddress } from './admin-address.ts';

export const ADMIN_SOCKET = 'admin.sock';
const YIELD_MS = 100;
const BODY_BYTES_MAX = 64 * 1024;

/** An action by its name; it gets the JSON of the request and gives the JSON of the answer. Throws a SluiceError to refuse. */
export type AdminActions = Readonly<
  Record<string, (input: Readonly<Record<string, unknown>>) => Promise<unknown>>
>;

export class AdminServer {
  readonly #directory: string;
  readonly #address: AdminAddress;
  readonly #clock: Clock;
  #actions: AdminActions = {};
  #server: Server | undefined;
  /** Of our socket: its name may be another one's by now. */
  #inode: number | undefined;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#address = new AdminAddress(directory);
    this.#clock = clock;
  }

  /** Takes the data directory. Throws a SluiceError when another relay has it. */
  async lock(): Promise<void> {
    const socket = await this.#address.pathOf(ADMIN_SOCKET);
    if (await isAnswered(socket)) throw new SluiceError('locked', taken(this.#directory));
    // Under a name of its own, which is the one that Node removes when the server ends, whoever has the directory then.
    const own = await this.#address.pathOf(`${ADMIN_SOCKET}.${randomBytes(3).toString('hex')}`);
    const server = createServer((request, response) => void this.#answer(request, response));
    try {
      await listen(server, own);
      await chmod(own, 0o600);
      this.#inode = (await stat(own)).ino;
      await this.#publish(own, socket);
    } catch (error) {
      server.close();
      await unlink(own).catch(() => {});
      if (error instanceof SluiceError) throw error;
      throw new SluiceError(
        'admin_socket',
        `cannot open the admin socket in ${path.resolve(this.#directory)}: ${messageOf(error)}; the data directory must be writable and on a file system that has sockets`,
        { cause: error },
      );
    }
    server.unref();
    this.#server = server;
  }

  /** Gives the socket its name. Of two relays at once, one gets it. */
  async #publish(own: string, socket: string): Promise<void> {
    try {
      await link(own, socket);
      await unlink(own);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
      // The socket of a relay that is dead, or a file system without hard links.
    }
    if (await isAnswered(socket)) throw new SluiceError('locked', taken(this.#directory));
    await rename(own, socket);
    // Another one may have found the same dead socket; the later one's is what is there a moment later.
    await sleep(this.#clock, YIELD_MS);
    if (!(await this.#isOwn(socket))) throw new SluiceError('locked', taken(this.#directory));
  }

  async #isOwn(socket: string): Promise<boolean> {
    const found = await stat(socket).catch(() => undefined);
    return found?.ino === this.#inode;
  }

  /** What can be done from now on. */
  serve(actions: AdminActions): void {
    this.#actions = actions;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server !== undefined) {
      const socket = await this.#address.pathOf(ADMIN_SOCKET);
      if (await this.#isOwn(socket)) await unlink(socket).catch(() => {});
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
    await this.#address.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    };
    try {
      const name = (request.url ?? '').slice(1);
      const action = Object.hasOwn(this.#actions, name) ? this.#actions[name] : undefined;
      if (action === undefined) return reply(404, { error: `there is no action ${JSON.stringify(name)}` });
      reply(200, await action(await inputOf(request)));
    } catch (error) {
      reply(error instanceof SluiceError ? 400 : 500, { error: messageOf(error) });
    }
  }
}

async function inputOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.byteLength;
    if (length > BODY_BYTES_MAX) throw new SluiceError('too_large', 'the request is too large');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  const input: unknown = text === '' ? {} : JSON.parse(text);
  if (typeof input !== 'object' || input === null)
    throw new SluiceError('bad_input', 'the request is no JSON object');
  return input as Readonly<Record<string, unknown>>;
}

function taken(directory: string): string {
  return `cannot use the data directory ${path.resolve(directory)}: another Sluice is running on it; stop it, or give this one a directory of its own with -remoteWrite.tmpDataPath`;
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
}

/** Whether a relay listens there. Throws a SluiceError when there is no telling: a lock that cannot be seen is no free one. */
function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return resolve(false);
      reject(
        new SluiceError(
          'admin_socket',
          `cannot tell whether another Sluice is running on the data directory: ${messageOf(error)}; run this one as the same user, or remove ${socket} if nothing runs`,
          { cause: error },
        ),
      );
    });
  });
}
