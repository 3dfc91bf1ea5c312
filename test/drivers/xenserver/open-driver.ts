import type { Test } from 'tap';
import * as v from 'valibot';
import type { Driver, DriverHost, PowerState, Sighting } from '../../../src/drivers/driver.js';
import xenserver from '../../../src/drivers/xenserver/index.js';
import { XapiPeer, type XapiOptions } from '../../peers/xapi.js';
import { soon } from '../driving.js';

/** What a driver has told its host. */
export interface Told {
  readonly changed: { id: string; state: PowerState }[];
  relists: number;
  readonly lost: string[];
  readonly log: string[];
}

/** The driver as the registry has it, with a host that remembers. */
export function openDriver(t: Test, given: Record<string, unknown>): { driver: Driver; told: Told } {
  const told: Told = { changed: [], relists: 0, lost: [], log: [] };
  const host: DriverHost = {
    name: 'pool1',
    log: (level, message, facts) => { told.log.push(`${level}: ${message} ${JSON.stringify(facts ?? {})}`); },
    changed: (id, state) => { told.changed.push({ id, state }); },
    relist: () => { told.relists += 1; },
    lost: (reason) => { told.lost.push(reason); },
  };
  const driver = xenserver.open(v.parse(v.strictObject(xenserver.options), { user: 'root', password: 'pw', ...given }), host);
  t.teardown(() => driver.close(AbortSignal.timeout(2000)));
  return { driver, told };
}

/** A double and a driver on it. Without TLS the driver has to be told that this is meant. */
export async function setUp(t: Test, options: XapiOptions = {}, given: Record<string, unknown> = {}) {
  const peer = await XapiPeer.start(options);
  t.teardown(() => peer.stop());
  const { driver, told } = openDriver(t, { url: peer.url(), insecure: true, ...given });
  return { peer, driver, told };
}

/** The machines that are no hosts. */
export const listVms = async (driver: Driver): Promise<readonly Sighting[]> => (await driver.list(soon())).filter(({ machine }) => machine.type === 'vm');
