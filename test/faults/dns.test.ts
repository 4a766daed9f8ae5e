/** A destination whose name changes its address, has none, and comes back: senders follow it, and nothing is lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openTransport, senderConfigOf } from '../../src/deliver/open.ts';
import { Sender } from '../../src/deliver/sender.ts';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { httpPorts, valuesWith } from '../deliver/support.ts';
import { makeBlock } from '../support/blocks.ts';
import { atEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { until } from '../support/wait.ts';

const WITHIN_MS = 30_000;
const BLOCKS = 6;

/** Takes blocks at one address. */
class Place {
  readonly sockets = new Set<Socket>();
  readonly taken: number[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      this.taken.push(Buffer.concat(chunks).readDoubleLE());
      response.writeHead(204).end();
    });
    this.#server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  async listen(t: TestContext, host: string, port = 0): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    atEnd(t, () => {
      this.#server.closeAllConnections();
      this.#server.close();
    });
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

for (const prefix of ['', 'dns+']) {
  test(`${prefix || 'an ordinary '}host that flaps between two addresses and none`, async (t) => {
    const clock = new FakeClock();
    const places = { a: new Place(), b: new Place() };
    const port = await places.a.listen(t, '127.0.0.1');
    await places.b.listen(t, '127.0.0.2', port);
    const known = { a: ['127.0.0.1'], b: ['127.0.0.2'], none: undefined };
    let state: keyof typeof known = 'a';
    const resolver = {
      addresses: async () => known[state] ?? Promise.reject(new Error('ENOTFOUND')),
      services: async () => [],
    };
    const ports = httpPorts({ clock, resolver });
    const queue = new DestinationQueue(
      {
        directory: '/q',
        onDisk: true,
        memoryBytesMax: 1_000,
        brokenBytesMax: 1_000_000,
        diskBytesMax: 0,
        whenFull: 'drop-oldest',
        ageMsMax: 0,
        freshFirst: false,
        synced: false,
      },
      { fs: new MemoryFs(), clock, log: recordingLogger() },
    );
    await queue.open();
    const setup = {
      name: 'one',
      url: `http://${prefix}db.example:${port}/`,
      shownUrl: '1:secret-url',
      values: valuesWith({ 'remoteWrite.queues': 2 }),
    };
    const transport = openTransport(setup, ports);
    atEnd(t, () => transport.close());
    const sender = new Sender(senderConfigOf(setup), {
      ...ports,
      source: queue,
      transport,
      park: () => Promise.reject(new Error('nothing is refused')),
    });
    sender.start();

    let pushed = 0;
    const push = () => {
      for (let k = 0; k < BLOCKS; k++) {
        const bytes = Buffer.alloc(200);
        bytes.writeDoubleLE(++pushed);
        queue.push(makeBlock(pushed, { bytes, slots: k % 2 === 0 ? 1 : 2, bornMs: clock.monotonicMs() }));
      }
    };
    /** Time goes by, two seconds at a time, until it is so. */
    const passes = (what: string, isSo: () => boolean) =>
      until(what, WITHIN_MS, () => {
        clock.advance(2_000);
        queue.maintain();
        return isSo();
      });

    for (const next of ['a', 'b', 'none', 'a', 'none', 'b', 'a', 'b', 'none', 'b', 'a'] as const) {
      state = next;
      push();
      if (next === 'none') {
        // Connections that are open may go on; these are cut.
        places.a.cut();
        places.b.cut();
        await passes(
          'it says that there is no address',
          () => sender.status().isFailing || queue.pendingBlocks === 0,
        );
        continue;
      }
      const [here, other] = next === 'a' ? [places.a, places.b] : [places.b, places.a];
      await passes('the blocks arrive', () => queue.pendingBlocks === 0);
      await passes('nothing hangs on to the address that was left', () => {
        const hasMoved = here.taken.includes(pushed) && other.sockets.size === 0;
        if (!hasMoved && queue.pendingBlocks === 0) push();
        return hasMoved;
      });
      const before = other.taken.length;
      push();
      await passes('more blocks arrive', () => queue.pendingBlocks === 0);
      assert.equal(other.taken.length, before, 'at the new address only');
    }
    await sender.stop(1_000);
    queue.close();
    assert.equal(queue.ledger.ended.delivered.samples, queue.ledger.routed.samples);
    const arrived = new Set([...places.a.taken, ...places.b.taken]);
    assert.equal(arrived.size, pushed, 'every block has arrived');
    for (const { taken } of Object.values(places)) {
      for (const parity of [0, 1]) {
        const lane = taken.filter((number) => number % 2 === parity);
        assert.deepEqual(
          lane,
          lane.toSorted((x, y) => x - y),
          'in order',
        );
      }
    }
  });
}
