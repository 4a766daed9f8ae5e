/** A name server on a port of its own, so that the resolver of Node can be asked for real. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { atEnd } from '../support/cleanup.ts';

export const recordTypes = { A: 1, AAAA: 28, SRV: 33 } as const;
/** Records as their bytes, or how the server fails; `silence` is no answer at all. */
export type Reply = readonly Buffer[] | 'nxdomain' | 'servfail' | 'silence';
export type Zone = Partial<Record<keyof typeof recordTypes, Reply>>;

const codes = { servfail: 2, nxdomain: 3 } as const;
const TTL_S = 0;

export const ipv4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number));
/** All eight groups written out. */
export const ipv6 = (address: string): Buffer =>
  Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  );
export function srv(port: number, target: string): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  const labels = target
    .split('.')
    .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.of(0)]);
}

/** Answers every question by the type of its record. `address` is what `setServers` takes. */
export async function startDnsServer(t: TestContext, zone: Zone): Promise<{ readonly address: string }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const nameEnd = query.indexOf(0, 12) + 1;
    const type = query.readUInt16BE(nameEnd);
    const reply = Object.entries(recordTypes)
      .filter(([, code]) => code === type)
      .map(([name]) => zone[name as keyof Zone] ?? [])[0];
    if (reply === undefined || reply === 'silence') return;
    socket.send(encode(query, nameEnd + 4, type, reply), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  atEnd(t, () => socket.close());
  return { address: `127.0.0.1:${socket.address().port}` };
}

/** https://www.rfc-editor.org/rfc/rfc1035 section 4.1: header, the question again, records that point to its name. */
function encode(query: Buffer, questionEnd: number, type: number, reply: Exclude<Reply, 'silence'>): Buffer {
  const records = typeof reply === 'string' ? [] : reply;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (typeof reply === 'string' ? codes[reply] : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map((data) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(TTL_S, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, query.subarray(12, questionEnd), ...answers]);
}
