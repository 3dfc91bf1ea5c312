import type { Accounts } from '../../contract.js';
import { fault } from '../faults.js';

/**
 * The provider that "the host" means, as VMware's clients know but one.
 * @param named by the gateway's table; left out: the only one there is
 * @throws OperationError that names the option
 */
export async function hostProvider(accounts: Pick<Accounts, 'observer'>, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const { providers: [only, second] } = await accounts.observer().actor('host').overview();
  if (only === undefined || second !== undefined) throw fault('NOT_SUPPORTED', 'which of the hosts is meant by "the host" is not configured: host = "PROVIDER" in the table of the gateway');
  return only.provider;
}
