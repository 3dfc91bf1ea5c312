import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { toArgoError } from '../../../kit/errors.js';
import { wholeCharacters } from '../../../kit/text.js';
import { matching } from '../../../protocols/vmserverd/shape.js';
import { noSuchMachine } from '../faults.js';

/**
 * How clients name machines: by the path of a configuration file. There is none: `/vms/PROVIDER/NAME.vmx` stands for an
 * instance by the name that is unique in its provider. A name of Argo's, short or full, will do as well.
 */

/** In requests. `.cfg` was the ending on ESX 2. */
export const config = matching(/^[^\0]{1,1024}$/, '/vms/PROVIDER/NAME.vmx');

const PATH = /^\/vms\/([^/]+)\/([^/]+)\.(?:vmx|cfg)$/;

/** Names as nearly all are. */
const PLAIN = /^[\w.-]*$/;

/** A part of a path: what could be taken for something else in it is written as `%2F`, as in URLs. Halves of surrogate pairs cannot. */
const encoded = (part: string): string => (PLAIN.test(part) ? part : encodeURIComponent(wholeCharacters(part)));

export const configPath = ({ provider, fullName }: Pick<InstanceInfo, 'provider' | 'fullName'>): string => `/vms/${encoded(provider)}/${encoded(fullName.slice(provider.length + 1))}.vmx`;

/** @returns undefined where it cannot be the path of any instance */
function readPath(path: string): { readonly provider: string | undefined; readonly name: string } | undefined {
  if (!path.startsWith('/')) return { provider: undefined, name: path };
  const [, provider, name] = PATH.exec(path) ?? [];
  if (provider === undefined || name === undefined) return undefined;
  try {
    return { provider: decodeURIComponent(provider), name: `${decodeURIComponent(provider)}/${decodeURIComponent(name)}` };
  } catch {
    return undefined;
  }
}

/**
 * The one machine that is meant.
 * @throws OperationError NO_SUCH_MACHINE, the same for one that is not there and for one of which the account may not know;
 *   ArgoError AMBIGUOUS for a short name that several have, UNREACHABLE where it may be one of a provider that has not answered yet
 */
export async function machineOf(actor: Actor, path: string): Promise<InstanceInfo> {
  const meant = readPath(path);
  if (meant === undefined) throw noSuchMachine(path);
  try {
    const { instances: [found] } = await actor.select([{ text: meant.name, quoted: true }]);
    if (found === undefined || (meant.provider !== undefined && found.provider !== meant.provider)) throw noSuchMachine(path);
    return found;
  } catch (thrown) {
    const { phrase } = toArgoError(thrown);
    throw phrase === 'NOT ALLOWED' || phrase === 'NO SUCH INSTANCE' || phrase === 'NO MATCH' ? noSuchMachine(path) : thrown;
  }
}
