import { ArgoError } from '../../../kit/errors.js';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { ErrorCode } from '../../../protocols/libvirt/errors.js';
import type { Limits } from '../../management/machine.js';
import { refusalOf } from '../errors.js';
import { child, createReader, text } from '../xml.js';
import type { ManagementContext } from './context.js';
import { hostLimits } from './host-limits.js';
import { MACHINE_TYPE } from './machine-xml.js';

/** What has to be known of a host before a machine is made there. */
export interface HostFacts {
  readonly limits: Limits;
  /** how machines are run: `kvm`, or `qemu` where that cannot be */
  readonly type: string;
  readonly arch: string;
  /** the network of machines of which nothing else is said; undefined: there is none */
  readonly network: string | undefined;
}

/** libvirt's own network, where nobody says which. */
const USUAL_NETWORK = 'default';

const readCapabilities = createReader([]);

/** @throws ArgoError WRONG STATE where there is a machine of that name, NOT SUPPORTED where the host can run none of ours */
export async function lookAtHost({ options }: ManagementContext, client: LibvirtClient, name: string, signal: AbortSignal): Promise<HostFacts> {
  await requireFreeName(client, name, signal);
  const [limits, capabilities, networks] = await Promise.all([
    hostLimits(client, signal), client.definitions.capabilities(MACHINE_TYPE, signal), client.definitions.networks(signal),
  ]);
  const root = child(readCapabilities(capabilities), 'domainCapabilities');
  const [type, arch] = [text(root, 'domain'), text(root, 'arch')];
  if (type === undefined || arch === undefined) throw new ArgoError('NOT SUPPORTED', `libvirt does not say how machines of type ${MACHINE_TYPE} are run`);
  return { limits, type, arch, network: options.network ?? (networks.includes(USUAL_NETWORK) ? USUAL_NETWORK : networks[0]) };
}

/** @throws ArgoError WRONG STATE where there is a machine of that name */
export async function requireFreeName(client: LibvirtClient, name: string, signal: AbortSignal): Promise<void> {
  const isThere = await client.definitions.named(name, signal).then(() => true, (error: unknown) => {
    if (refusalOf(error) === ErrorCode.NO_DOMAIN) return false;
    throw error;
  });
  if (isThere) throw new ArgoError('WRONG STATE', `there is a machine ${name} already`);
}
