import { parseUuid, type Domain } from '../../../../protocols/libvirt/types.js';
import { refusalOf } from '../../errors.js';
import { requireFreeName } from '../look-at-host.js';
import { findAgain } from '../removal.js';
import { settled } from '../steps.js';
import type { TemplatesContext } from './context.js';

/** A machine of which libvirt is to be told. */
interface Defined {
  readonly name: string;
  /** that of `xml`, new */
  readonly uuid: string;
  readonly xml: string;
}

/** Milliseconds to look why libvirt refused. */
const LOOKING = 10_000;

/**
 * Tells libvirt of a machine that is whole. libvirt takes one of a name: of two that are made at a time, one is refused.
 * @throws ArgoError WRONG STATE where there is a machine of that name; UNCERTAIN where libvirt went away and nobody knows
 */
export async function define({ connection }: TemplatesContext, { name, uuid, xml }: Defined): Promise<void> {
  const domain: Domain = { name, uuid: parseUuid(uuid), id: -1 };
  const isThere = async (signal: AbortSignal): Promise<boolean> => await connection.use('reads', signal, (client) => findAgain(client, domain, signal)) !== undefined;
  try {
    await settled((signal) => connection.use('acts', signal, (client) => client.definitions.define(xml, signal)), isThere);
  } catch (error) {
    const signal = AbortSignal.timeout(LOOKING);
    if (refusalOf(error) !== undefined) await connection.use('reads', signal, (client) => requireFreeName(client, name, signal));
    throw error;
  }
}
