/**
 * Adds up what arrived at the sink, after the relay was measured: on all cores, decoded by libraries that the relays
 * do not use.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import { uncompress } from 'snappyjs';
import { type Account, addAccount, addRequest, emptyAccount } from './checksum.ts';

/** Bodies in one file. */
export interface Kept {
  readonly file: string;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
}

const ZSTD_MAGIC = 0xfd2fb528; // RFC 8878, little endian

function accountOfPart({ file, offsets, lengths }: Kept): Account {
  const account = emptyAccount();
  const fd = openSync(file, 'r');
  offsets.forEach((offset, index) => {
    const body = Buffer.allocUnsafe(lengths[index]!);
    readSync(fd, body, 0, body.length, offset);
    const isZstd = body.length >= 4 && body.readUInt32LE(0) === ZSTD_MAGIC;
    addRequest(account, isZstd ? zstdDecompressSync(body) : uncompress(body));
  });
  closeSync(fd);
  return account;
}

function onThread(part: Kept): Promise<Account> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: part });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

export async function accountOf(kept: Kept): Promise<Account> {
  const threads = availableParallelism();
  const parts = Array.from({ length: threads }, (_, part) => {
    const isMine = (_: number, index: number) => index % threads === part;
    return onThread({ ...kept, offsets: kept.offsets.filter(isMine), lengths: kept.lengths.filter(isMine) });
  });
  const account = emptyAccount();
  for (const part of await Promise.all(parts)) addAccount(account, part);
  return account;
}

if (!isMainThread) parentPort!.postMessage(accountOfPart(workerData as Kept));
