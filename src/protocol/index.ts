/** The registry of ingest protocols: one line each. */
import type { Protocol } from './protocol.ts';
import { remoteWrite } from './remote-write.ts';

export const protocols = { promremotewrite: remoteWrite } satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof protocols;
