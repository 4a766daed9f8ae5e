/**
 * Whose data a request holds, by its path and headers: `/insert/<account>[:<project>]/<suffix>`, `/insert/multitenant/<suffix>`
 * where labels of the series tell, or, with -enableMultitenancyViaHeaders, `/insert/<suffix>` with `AccountID` and `ProjectID`.
 * https://docs.victoriametrics.com/victoriametrics/cluster-victoriametrics/#multitenancy
 */
import type { Tenant } from '../model/body.ts';

const PREFIX = '/insert/';
const MULTITENANT = 'multitenant';
const ACCOUNT_HEADER = 'accountid';
const PROJECT_HEADER = 'projectid';
const ID_MAX = 2 ** 32 - 1;
const SHOWN_LENGTH_MAX = 100;

export interface TenantPath {
  /** Undefined: labels of the series tell. */
  readonly tenant: Tenant | undefined;
  /** What follows, with a slash at its beginning. */
  readonly rest: string;
}

/** Headers by names in lower case; the empty text for one that is absent. */
export type HeaderOf = (name: string) => string;

/** `path` begins with `/insert/`; slashes are single. `error` is for the client. */
export function readTenantPath(
  path: string,
  viaHeaders: boolean,
  headerOf: HeaderOf,
): TenantPath | { readonly error: string } {
  const [, first = '', afterFirst = ''] = /^([^/]*)(.*)$/s.exec(path.slice(PREFIX.length))!;
  if (!viaHeaders || looksLikeTenant(first)) {
    const tenant = parseTenant(first);
    if (tenant === undefined) return { error: unreadable(`the tenant ${shown(first)} in the path`) };
    return { tenant: tenant === MULTITENANT ? undefined : tenant, rest: afterFirst };
  }
  const named = tenantOfHeaders(headerOf);
  return 'error' in named ? named : { ...named, rest: path.slice(PREFIX.length - 1) };
}

/** Whether the headers say anything of a tenant. */
export function namesTenant(headerOf: HeaderOf): boolean {
  return headerOf(ACCOUNT_HEADER) !== '' || headerOf(PROJECT_HEADER) !== '';
}

/** By the headers alone; 0 for one that is absent. */
export function tenantOfHeaders(headerOf: HeaderOf): Pick<TenantPath, 'tenant'> | { readonly error: string } {
  const account = headerOf(ACCOUNT_HEADER);
  const project = headerOf(PROJECT_HEADER);
  if (account === MULTITENANT) return { tenant: undefined };
  const accountId = parseId(account === '' ? '0' : account);
  if (accountId === undefined)
    return { error: unreadable(`the tenant in the header AccountID: ${shown(account)}`) };
  const projectId = parseId(project === '' ? '0' : project);
  if (projectId === undefined)
    return { error: unreadable(`the tenant in the header ProjectID: ${shown(project)}`) };
  return { tenant: tenantOf(accountId, projectId) };
}

function looksLikeTenant(segment: string): boolean {
  return segment === MULTITENANT || segment.indexOf(':') > 0 || parseId(segment) !== undefined;
}

/** Digits only, within 32 bits. */
function parseId(text: string): number | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= ID_MAX ? id : undefined;
}

function parseTenant(text: string): Tenant | typeof MULTITENANT | undefined {
  if (text === MULTITENANT) return MULTITENANT;
  const parts = text.split(':');
  const [accountId, projectId = 0] = parts.map(parseId);
  if (parts.length > 2 || accountId === undefined || parts.some((part) => parseId(part) === undefined))
    return undefined;
  return tenantOf(accountId, projectId);
}

/** The same tenant is the same object, so that requests of it share their format. */
const KNOWN_MAX = 1_000;
const known = new Map<string, Tenant>();

function tenantOf(accountId: number, projectId: number): Tenant {
  const key = `${accountId}:${projectId}`;
  let tenant = known.get(key);
  if (tenant === undefined) {
    if (known.size >= KNOWN_MAX) known.clear();
    tenant = { accountId, projectId };
    known.set(key, tenant);
  }
  return tenant;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX));
}

function unreadable(what: string): string {
  return `cannot read ${what}: it is not accountID or accountID:projectID, numbers from 0 to ${ID_MAX}, and not ${MULTITENANT}`;
}
