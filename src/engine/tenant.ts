/**
 * Whose a WriteRequest is: labels of other tenants go, and its metadata says it. What is left to do, the two labels of every
 * series, is done as for any labels that a request adds. Off the hot path: only metadata, and series that name a tenant of their
 * own, are written anew.
 */
import { eachField } from '../destination/fields.ts';
import { ACCOUNT_LABEL, PROJECT_LABEL, type Tenant } from '../model/body.ts';
import { encodeVarint } from '../util/varint.ts';

const TIMESERIES = 1;
const METADATA = 3;
const LABEL = 1;
const NAME = 1;
const ACCOUNT_ID = 11;
const PROJECT_ID = 12;
const DELIMITED = 2;

/** Whether `ofTenant` changes anything of a message that was validated. */
export function namesTenants(message: Uint8Array, metadata: number): boolean {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return metadata > 0 || bytes.includes(ACCOUNT_LABEL) || bytes.includes(PROJECT_LABEL);
}

/** The message, of this tenant. It was validated. */
export function ofTenant(message: Uint8Array, tenant: Tenant): Uint8Array {
  const stamp = Buffer.concat([
    varintField(ACCOUNT_ID, tenant.accountId),
    varintField(PROJECT_ID, tenant.projectId),
  ]);
  const parts: Uint8Array[] = [];
  eachField(message, 0, message.byteLength, (number, from, to, start, wire) => {
    const isOurs = wire === DELIMITED && (number === TIMESERIES || number === METADATA);
    if (!isOurs) {
      parts.push(message.subarray(start, to));
      return;
    }
    const kept: Uint8Array[] =
      number === TIMESERIES
        ? fieldsWithout(
            message,
            from,
            to,
            (field, at, end) => field === LABEL && isTenantLabel(message, at, end),
          )
        : [
            ...fieldsWithout(message, from, to, (field) => field === ACCOUNT_ID || field === PROJECT_ID),
            stamp,
          ];
    const length = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
    parts.push(Uint8Array.of((number << 3) | DELIMITED), encodeVarint(length), ...kept);
  });
  return Buffer.concat(parts);
}

function fieldsWithout(
  message: Uint8Array,
  start: number,
  end: number,
  goes: (field: number, from: number, to: number) => boolean,
): Uint8Array[] {
  const kept: Uint8Array[] = [];
  eachField(message, start, end, (field, from, to, at) => {
    if (!goes(field, from, to)) kept.push(message.subarray(at, to));
  });
  return kept;
}

function isTenantLabel(message: Uint8Array, start: number, end: number): boolean {
  let name = '';
  eachField(message, start, end, (field, from, to, _at, wire) => {
    if (field !== NAME || wire !== DELIMITED) return;
    name =
      to - from <= PROJECT_LABEL.length ? Buffer.from(message.subarray(from, to)).toString('latin1') : '';
  });
  return name === ACCOUNT_LABEL || name === PROJECT_LABEL;
}

function varintField(number: number, value: number): Uint8Array {
  return value === 0 ? new Uint8Array(0) : Buffer.concat([Uint8Array.of(number << 3), encodeVarint(value)]);
}
