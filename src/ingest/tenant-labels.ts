/** The labels that name the tenant of a request, among the others that it gives to every series. */
import { ACCOUNT_LABEL, type Label, PROJECT_LABEL, type Tenant } from '../model/body.ts';

/** The labels of a tenant, one array each, so that its requests share their format. */
const tenantLabels = new WeakMap<Tenant, readonly Label[]>();

/** Those of the tenant come last, and are the only ones of their names. */
export function withTenant(labels: readonly Label[], tenant: Tenant | undefined): readonly Label[] {
  if (tenant === undefined) return labels;
  let own = tenantLabels.get(tenant);
  if (own === undefined) {
    own = [
      { name: ACCOUNT_LABEL, value: String(tenant.accountId) },
      { name: PROJECT_LABEL, value: String(tenant.projectId) },
    ];
    tenantLabels.set(tenant, own);
  }
  if (labels.length === 0) return own;
  return [...labels.filter(({ name }) => name !== ACCOUNT_LABEL && name !== PROJECT_LABEL), ...own];
}
